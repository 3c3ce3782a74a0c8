"""Compare and write on caches, whose common API has neither in one step.

An adapter is chosen by the cache's class, and only where that class's own ``get``, ``set``, ``add``
and ``delete`` are what the cache uses: whoever overrides them is asked instead.
"""

from __future__ import annotations

from typing import Any

from django.core.cache import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.memcached import PyMemcacheCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient

from dj_sessions.storage.caches.any import CacheAdapter, digest
from dj_sessions.storage.caches.locmem import LocMemAdapter
from dj_sessions.storage.caches.made_names import MadeNames, Names
from dj_sessions.storage.caches.memcached import MemcachedAdapter
from dj_sessions.storage.caches.redis import DjangoRedisAdapter, IgnoringAdapter, RedisAdapter

__all__ = ["CacheAdapter", "adapter_of", "digest"]


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
    if _is_django_redis(cache):
        return DjangoRedisAdapter(cache)
    if getattr(cache, "_ignore_exceptions", False):  # django-redis with another client
        return IgnoringAdapter(cache)
    return CacheAdapter(cache)


def _is_plain(cache: BaseCache, kind: type) -> bool:
    return isinstance(cache, kind) and all(
        getattr(type(cache), verb) is getattr(kind, verb)
        for verb in ("get", "set", "add", "delete")
    )


def _is_whole(client: Any) -> bool:
    """Return whether Django's Redis client keeps all keys on one server, and values as we do."""
    return all(
        getattr(type(client), verb, None) is getattr(RedisCacheClient, verb)
        for verb in ("get_client", "get", "set", "add", "delete", "get_many", "has_key")
    )


def _is_django_redis(cache: Any) -> bool:
    """Return whether ``cache`` is django-redis with its default client, which does not shard."""
    kinds = [kind for kind in type(cache).__mro__ if kind.__module__ == "django_redis.cache"]
    clients = ("django_redis.client.default", "django_redis.client.sentinel")
    return bool(kinds) and _is_plain(cache, kinds[0]) and type(cache.client).__module__ in clients


# To go: the names that copies used before

__all__ += ["CacheSwap", "MadeNames", "Names", "swap_of"]
CacheSwap = CacheAdapter
swap_of = adapter_of
