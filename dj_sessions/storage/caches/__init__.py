"""Compare and write on caches, whose common API has neither in one step.

An adapter is chosen by the cache's class, and only where that class's own ``get``, ``set``, ``add``
and ``delete`` are what the cache uses: whoever overrides them is asked instead.
"""

from __future__ import annotations

from typing import Any, Final

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.memcached import PyMemcacheCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient

from dj_sessions.storage.caches.any import CacheAdapter, digest
from dj_sessions.storage.caches.ignoring import IgnoringAdapter
from dj_sessions.storage.caches.locmem import LocMemAdapter
from dj_sessions.storage.caches.memcached import MemcachedAdapter
from dj_sessions.storage.caches.redis import DjangoRedisAdapter, RedisAdapter

__all__ = ["CacheAdapter", "adapter_of", "digest"]

#: Where the caches that bring clients for Redis or Valkey have these, and their usual clients.
LIBRARIES: Final = (
    "django_redis.cache",
    "django_valkey.cache",
    "django_valkey.cluster_cache.cache",
)
CLIENTS: Final = (
    "django_redis.client.default",
    "django_valkey.client.default",
    "django_valkey.cluster_cache.client.default",
)


def adapter_of(cache: Any) -> CacheAdapter:
    """Return the best adapter for ``cache``, which keeps it: Redis scripts are prepared once."""
    try:
        return cache._session_adapter  # type: ignore[no-any-return]
    except AttributeError:
        cache._session_adapter = _choose(cache)
        return cache._session_adapter  # type: ignore[no-any-return]


def _choose(cache: Any) -> CacheAdapter:
    if _is_plain(cache, LocMemCache):
        return LocMemAdapter(cache)
    if _is_plain(cache, PyMemcacheCache):
        return MemcachedAdapter(cache)
    if _is_plain(cache, RedisCache) and _is_whole(cache._cache):
        return RedisAdapter(cache)
    if _speaks_to_redis(cache):
        return DjangoRedisAdapter(cache)
    if getattr(cache, "_ignore_exceptions", False):  # one of these with another client
        return IgnoringAdapter(cache)
    return CacheAdapter(cache)


def _is_plain(cache: Any, kind: type, *more: str) -> bool:
    """Return whether ``cache``, or a client, has the methods of ``kind``."""
    return isinstance(cache, kind) and all(
        getattr(type(cache), verb) is getattr(kind, verb)
        for verb in ("get", "set", "add", "delete", *more)
    )


def _is_whole(client: Any) -> bool:
    """Return whether Django's Redis client keeps all keys on one server, and values as we do."""
    return _is_plain(client, RedisCacheClient, "get_client", "get_many", "has_key")


def _speaks_to_redis(cache: Any) -> bool:
    """Return whether ``cache`` is django-redis or django-valkey with a client that does not shard.

    A client of the site's own may find its servers, and write values, in a way of its own.
    """
    kind = _library_kind(cache, LIBRARIES)
    if kind is None or not _is_plain(cache, kind):
        return False
    kind = _library_kind(cache.client, CLIENTS)
    return kind is not None and _is_plain(cache.client, kind, "has_key")


def _library_kind(thing: Any, modules: tuple[str, ...]) -> type | None:
    return next((kind for kind in type(thing).__mro__ if kind.__module__ in modules), None)
