"""The clients for Redis that the process keeps for its sessions.

Django keeps one with each cache object, and under ASGI each request has one: it connects anew.
"""

from __future__ import annotations

from copy import copy
from typing import Any, Final
from weakref import WeakKeyDictionary

from django.core.cache.backends.redis import RedisCacheClient

#: What redis-py allows unless it is told otherwise. Who allows less has counted the threads.
MANY: Final = 100

#: What an option that was perhaps made for one cache object alone shows of itself.
ADDRESS: Final = " at 0x"

#: By server and options.
_clients: Final[dict[tuple[str, ...], Any]] = {}
#: The pools for sessions, by the pool that everything else shares.
_beside: Final[WeakKeyDictionary[Any, Any]] = WeakKeyDictionary()


def kept_client(cache_client: Any) -> Any:
    """Return the process's client for the server that Django's ``RedisCacheClient`` writes to.

    Where the site has chosen its pool, or how many connections that has, it is the cache's own.
    """
    if _has_chosen_its_pool(cache_client):
        return cache_client.get_client(None, write=True)
    server, options = cache_client._servers[0], cache_client._pool_options
    place = (server, repr(sorted(options.items())))
    if ADDRESS in place[1]:
        return cache_client.get_client(None, write=True)
    if place not in _clients:
        pool = _session_pool().from_url(server, **options)
        return _clients.setdefault(place, cache_client._client(connection_pool=pool))
    return _clients[place]


def _has_chosen_its_pool(cache_client: Any) -> bool:
    kind = type(cache_client)
    return (
        kind.get_client is not RedisCacheClient.get_client
        or kind._get_connection_pool is not RedisCacheClient._get_connection_pool  # type: ignore[attr-defined] # not in the stubs
        or cache_client._pool_class is not cache_client._lib.ConnectionPool
        or "max_connections" in cache_client._pool_options
        or "max_connections" in cache_client._servers[0]
    )


def kept_beside(client: Any) -> Any:
    """Return a client like django-redis's with a pool for sessions, beside the one that all share.

    Where the site has chosen its pool, or how many connections that has, it is that client.
    """
    pool: Any = getattr(client, "connection_pool", None)  # a cluster's client has none
    if not _is_usual(pool) or pool.max_connections < MANY:
        return client
    if pool not in _beside:
        kept = _session_pool()(pool.connection_class, **pool.connection_kwargs)
        _beside.setdefault(pool, kept)
    client = copy(client)
    client.connection_pool = _beside[pool]
    return client


def _is_usual(pool: Any) -> bool:
    # By its name, as redis-py may not be there: django-valkey does without it.
    kind = type(pool)
    return (kind.__module__, kind.__qualname__) == ("redis.connection", "ConnectionPool")


def _session_pool() -> Any:
    from dj_sessions.storage.caches.redis_pool import SessionPool  # which wants redis-py

    return SessionPool
