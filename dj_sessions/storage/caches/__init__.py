"""Compare-and-swap on caches, whose common API has none.

An adapter is chosen by the cache's class, and only where that class's own ``get``, ``set``, ``add``
and ``delete`` are what the cache uses: whoever overrides them is asked instead.
"""

from __future__ import annotations

from typing import Any

from django.core.cache import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.memcached import PyMemcacheCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient

from dj_sessions.storage.caches.any import CacheSwap, Names, digest
from dj_sessions.storage.caches.locmem import LocMemSwap
from dj_sessions.storage.caches.made_names import MadeNames
from dj_sessions.storage.caches.memcached import MemcachedSwap
from dj_sessions.storage.caches.redis import DjangoRedisSwap, IgnoringSwap, RedisSwap

__all__ = ["CacheSwap", "MadeNames", "Names", "digest", "swap_of"]


def swap_of(cache: Any) -> CacheSwap:
    """Return the best adapter for ``cache``, which keeps it: Redis scripts are prepared once."""
    try:
        return cache._session_swap  # type: ignore[no-any-return]
    except AttributeError:
        cache._session_swap = _choose(cache)
        return cache._session_swap  # type: ignore[no-any-return]


def _choose(cache: Any) -> CacheSwap:
    if _is_plain(cache, LocMemCache):
        return LocMemSwap(cache)
    if _is_plain(cache, PyMemcacheCache):
        return MemcachedSwap(cache)
    if _is_plain(cache, RedisCache) and _is_whole(cache._cache):
        return RedisSwap(cache)
    if _is_django_redis(cache):
        return DjangoRedisSwap(cache)
    if getattr(cache, "_ignore_exceptions", False):  # django-redis with another client
        return IgnoringSwap(cache)
    return CacheSwap(cache)


def _is_plain(cache: BaseCache, kind: type) -> bool:
    return isinstance(cache, kind) and all(
        getattr(type(cache), verb) is getattr(kind, verb)
        for verb in ("get", "set", "add", "delete")
    )


def _is_whole(client: Any) -> bool:
    """Tell whether Django's Redis client keeps all keys on one server, and values as we do."""
    return all(
        getattr(type(client), verb, None) is getattr(RedisCacheClient, verb)
        for verb in ("get_client", "get", "set", "add", "delete", "get_many", "has_key")
    )


def _is_django_redis(cache: Any) -> bool:
    """Tell whether ``cache`` is django-redis with its default client, which does not shard."""
    kinds = [kind for kind in type(cache).__mro__ if kind.__module__ == "django_redis.cache"]
    clients = ("django_redis.client.default", "django_redis.client.sentinel")
    return bool(kinds) and _is_plain(cache, kinds[0]) and type(cache.client).__module__ in clients
