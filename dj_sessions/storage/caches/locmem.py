"""Django's cache in local memory, which stores pickles behind a lock."""

from __future__ import annotations

from typing import Any

from dj_sessions.storage.caches import snapshot
from dj_sessions.storage.caches.any import CacheSwap, Names, digest, full_name


class LocMemSwap(CacheSwap):
    """Compares and writes under the lock; the raw values are the pickles in the cache."""

    unreadable = ()

    def fingerprint(self, raw: bytes) -> str:
        return digest(raw)

    def read(self, key: str) -> Any:
        name = full_name(self.cache, key)
        with self.cache._lock:
            return self._used(name)

    def swap(self, key: str, raw: Any, expected: Any, age: int) -> bool:
        name = full_name(self.cache, key)
        with self.cache._lock:
            current = self._current(name)
            if current is None or not (expected is None or snapshot.is_same(expected, current)):
                return False
            self.cache._set(name, raw, age)
            return True

    def take(self, key: str, expected: Any) -> bool:
        name = full_name(self.cache, key)
        with self.cache._lock:
            current = self._current(name)
            if current is None or not snapshot.is_same(expected, current):
                return False
            self.cache._delete(name)
            return True

    def move(self, key: str, expected: Any, lead: str, raw: Any, age: int) -> bool:
        moved = self.remove(key) if expected is None else self.take(key, expected)
        if moved:
            name = full_name(self.cache, lead)
            with self.cache._lock:
                self.cache._set(name, raw, age)
        return moved

    def read_copy(self, names: Names) -> list[Any]:
        full = self.full(names)
        with self.cache._lock:
            return [self._used(name) for name in full]

    def write_copy(
        self, names: Names, entries: tuple[Any, Any, Any], expected: Any, age: int
    ) -> bool | None:
        copy, voucher, generation = self.full(names)
        with self.cache._lock:
            if self._current(generation) != entries[2]:
                return None
            if self._current(voucher) != expected:
                return False
            self.cache._set(copy, entries[0], age)
            self.cache._set(voucher, entries[1], age)
            return True

    def void_copy(self, names: Names, mark: Any, age: int, keep: tuple[Any, ...] = ()) -> None:
        copy, voucher, _ = self.full(names)
        with self.cache._lock:
            if self._current(voucher) not in keep:
                self.cache._set(voucher, mark, age)
            self.cache._delete(copy)

    def _used(self, name: str) -> Any:
        """Return what there is, which is then the last to be forgotten when the cache is full."""
        current = self._current(name)
        if current is not None:
            self.cache._cache.move_to_end(name, last=False)
        return current

    def _current(self, name: str) -> Any:
        return None if self.cache._has_expired(name) else self.cache._cache[name]
