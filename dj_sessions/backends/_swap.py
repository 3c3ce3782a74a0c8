"""Compare-and-swap on caches, whose common API has none.

An adapter handles entries as *raw* values: what the cache stores, or a copy of it that later
changes cannot reach. It is chosen by the cache's class, and only where that class's own
``get``, ``set`` and ``add`` are what the cache uses: whoever overrides them is asked instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from django.core.cache import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.memcached import PyMemcacheCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient

from dj_sessions.backends import _snapshot


class CacheSwap:
    """Any cache: reads, compares and writes, in the smallest window that its API allows."""

    def __init__(self, cache: Any) -> None:
        self.cache = cache

    def encode(self, data: dict[str, Any]) -> Any:
        """Return the raw value of ``data``; raises what the cache's serializer raises."""
        return _snapshot.take(data)

    def decode(self, raw: Any) -> Any:
        """Return the data of a raw value, a new copy each time."""
        return _snapshot.restore(raw)

    def read(self, key: str) -> Any:
        """Return the raw value under ``key``, or None."""
        data = self.cache.get(key)
        return None if data is None else self.encode(data)

    def insert(self, key: str, raw: Any, age: int) -> bool:
        """Store ``raw`` for ``age`` seconds where there is nothing; tell whether it did."""
        return bool(self.cache.add(key, self.decode(raw), age))

    def swap(self, key: str, raw: Any, expected: Any, age: int) -> bool:
        """Store ``raw`` over ``expected`` (None: over anything); tell whether it did."""
        current = self.read(key)
        if current is None or not (expected is None or _snapshot.is_same(expected, current)):
            return False
        self.cache.set(key, self.decode(raw), age)
        return True


class LocMemSwap(CacheSwap):
    """Django's cache in local memory, which stores pickles behind a lock."""

    def swap(self, key: str, raw: Any, expected: Any, age: int) -> bool:
        key = self.cache.make_and_validate_key(key)
        with self.cache._lock:
            current = None if self.cache._has_expired(key) else self.cache._cache[key]
            if current is None or not (expected is None or _snapshot.is_same(expected, current)):
                return False
            self.cache._set(key, raw, age)
            return True


@dataclass(frozen=True, slots=True)
class MemcachedEntry:
    """A copy of the data, and Memcached's number of this version of it, where it told one."""

    pickled: bytes
    version: Any = None


class MemcachedSwap(CacheSwap):
    """Memcached through pymemcache: ``gets`` numbers each version, ``cas`` names the number."""

    def encode(self, data: dict[str, Any]) -> MemcachedEntry:
        return MemcachedEntry(super().encode(data))

    def decode(self, raw: MemcachedEntry) -> Any:
        return super().decode(raw.pickled)

    def read(self, key: str) -> MemcachedEntry | None:
        data, version = self.cache._cache.gets(self.cache.make_and_validate_key(key)) or (None, 0)
        return None if data is None else MemcachedEntry(self.encode(data).pickled, version)

    def swap(
        self, key: str, raw: MemcachedEntry, expected: MemcachedEntry | None, age: int
    ) -> bool:
        client, name = self.cache._cache, self.cache.make_and_validate_key(key)
        data, timeout = self.decode(raw), self.cache.get_backend_timeout(age)
        if expected is None:
            return bool(client.replace(name, data, timeout))
        if expected.version is None:  # we wrote it ourselves, and were told no number
            current = self.read(key)
            if current is None or not _snapshot.is_same(expected.pickled, current.pickled):
                return False
            expected = current
        return bool(client.cas(name, data, expected.version, timeout))


#: Writes where the old value is as expected; an age that is over forgets the entry.
REDIS_SWAP: Final = """
local current = redis.call('GET', KEYS[1])
if not current or (ARGV[1] == 'expect' and current ~= ARGV[2]) then return 0 end
if tonumber(ARGV[4]) > 0 then
    redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[4])
else
    redis.call('DEL', KEYS[1])
end
return 1
"""


class RedisSwap(CacheSwap):
    """Redis through Django's client: the server compares and swaps, in one round trip."""

    def encode(self, data: dict[str, Any]) -> Any:
        return self.cache._cache._serializer.dumps(data)

    def decode(self, raw: Any) -> Any:
        return self.cache._cache._serializer.loads(raw)

    def read(self, key: str) -> Any:
        name = self.name(key)
        return self.client(name, write=False).get(name)

    def insert(self, key: str, raw: Any, age: int) -> bool:
        if age <= 0:
            return super().insert(key, raw, age)
        name = self.name(key)
        return bool(self.client(name, write=True).set(name, raw, ex=age, nx=True))

    def swap(self, key: str, raw: Any, expected: Any, age: int) -> bool:
        name = self.name(key)
        old = ("any", b"") if expected is None else ("expect", expected)
        client = self.client(name, write=True)
        return bool(self.script(keys=[name], args=[*old, raw, int(age)], client=client))

    def name(self, key: str) -> Any:
        return self.cache.make_and_validate_key(key)

    def client(self, name: Any, *, write: bool) -> Any:
        return self.cache._cache.get_client(name, write=write)

    @cached_property
    def script(self) -> Any:
        return self.client(None, write=True).register_script(REDIS_SWAP)


class DjangoRedisSwap(RedisSwap):
    """Redis through django-redis."""

    def encode(self, data: dict[str, Any]) -> Any:
        return self.cache.client.encode(data)

    def decode(self, raw: Any) -> Any:
        return self.cache.client.decode(raw)

    def name(self, key: str) -> Any:
        return self.cache.client.make_key(key)

    def client(self, name: Any, *, write: bool) -> Any:
        return self.cache.client.get_client(write=write)


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
    if _is_plain(cache, RedisCache) and isinstance(cache._cache, RedisCacheClient):
        return RedisSwap(cache)
    if _is_django_redis(cache):
        return DjangoRedisSwap(cache)
    return CacheSwap(cache)


def _is_plain(cache: BaseCache, kind: type) -> bool:
    return isinstance(cache, kind) and all(
        getattr(type(cache), verb) is getattr(kind, verb) for verb in ("get", "set", "add")
    )


def _is_django_redis(cache: Any) -> bool:
    """Tell whether ``cache`` is django-redis with its default client, which does not shard."""
    kinds = [kind for kind in type(cache).__mro__ if kind.__module__ == "django_redis.cache"]
    clients = ("django_redis.client.default", "django_redis.client.sentinel")
    return bool(kinds) and _is_plain(cache, kinds[0]) and type(cache.client).__module__ in clients
