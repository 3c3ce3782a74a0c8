"""Memcached through pymemcache: ``gets`` numbers each version, ``cas`` names the number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dj_sessions.backends import _snapshot
from dj_sessions.backends._caches.any import CacheSwap, Names


@dataclass(frozen=True, slots=True)
class MemcachedEntry:
    """A copy of the data, and Memcached's number of this version of it, where it told one."""

    pickled: bytes
    version: Any = None


class MemcachedSwap(CacheSwap):
    """The server compares numbers; what we wrote ourselves has none, and is read again."""

    def encode(self, value: Any) -> MemcachedEntry:
        return MemcachedEntry(_snapshot.take(value))

    def decode(self, raw: MemcachedEntry) -> Any:
        return _snapshot.restore(raw.pickled)

    def read(self, key: str) -> MemcachedEntry | None:
        return self._entry(self.cache._cache.gets(self._name(key)))

    def swap(
        self, key: str, raw: MemcachedEntry, expected: MemcachedEntry | None, age: int
    ) -> bool:
        client, name = self.cache._cache, self._name(key)
        data, timeout = self.decode(raw), self.cache.get_backend_timeout(age)
        if expected is None:
            return bool(client.replace(name, data, timeout))
        if expected.version is None:
            current = self.read(key)
            if current is None or not _snapshot.is_same(expected.pickled, current.pickled):
                return False
            expected = current
        return bool(client.cas(name, data, expected.version, timeout))

    def read_copy(self, names: Names) -> list[Any]:
        full = self.full(names)
        found = self.cache._cache.gets_many(full)
        return [self._entry(found.get(name)) for name in full]

    def write_copy(
        self, names: Names, entries: tuple[Any, Any, Any], expected: Any, age: int
    ) -> bool | None:
        # Nobody believes a copy that does not fit the voucher. Whether the generation is the
        # present one is not asked: if not, nobody believes it either.
        copy, voucher, _ = entries
        self.cache.set(names.copy, self.decode(copy), age)
        if expected is None:
            return self.insert(names.voucher, voucher, age)
        return self.swap(names.voucher, voucher, expected, age)

    def void_copy(self, names: Names, mark: Any, age: int, keep: tuple[Any, ...] = ()) -> None:
        if keep:
            while not self._mark(names.voucher, mark, age, keep):
                continue
        else:
            self.cache.set(names.voucher, self.decode(mark), age)
        self.cache.delete(names.copy)

    def _mark(self, key: str, mark: Any, age: int, keep: tuple[Any, ...]) -> bool:
        """Store ``mark``; tell whether it is there, or something to keep, and nothing between."""
        current = self.read(key)
        if current is None:
            return self.insert(key, mark, age)
        if any(_snapshot.is_same(entry.pickled, current.pickled) for entry in keep):
            return True
        return self.swap(key, mark, current, age)

    def _name(self, key: str) -> Any:
        return self.cache.make_and_validate_key(key)

    def _entry(self, answer: tuple[Any, Any] | None) -> MemcachedEntry | None:
        data, version = answer or (None, None)
        return None if data is None else MemcachedEntry(_snapshot.take(data), version)
