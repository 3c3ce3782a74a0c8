"""Django's cache in local memory, which stores pickles behind a lock."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import repeat
from typing import Any

from dj_sessions.storage.caches import snapshot
from dj_sessions.storage.caches.any import CacheAdapter
from dj_sessions.storage.caches.names import full_name


class LocMemAdapter(CacheAdapter):
    """Compares and writes under the lock; the raw values are the pickles in the cache.

    It is atomic for all processes: no other one has these entries.
    """

    atomic = atomic_rename = True
    unreadable = ()

    def comparable(self, raw: bytes) -> bytes:
        return raw

    @staticmethod
    def tag(content: bytes) -> str:
        # This process alone writes here, so a checksum does, and takes a tenth of an HMAC's time.
        return f"{hash(content) % 2**64:016x}"

    def read(self, name: str) -> Any:
        full = full_name(self.cache, name)
        with self.cache._lock:
            return self._used(full)

    def insert(self, name: str, raw: Any, age: int | None) -> bool:
        return self.write_if({name: None}, {name: raw}, age)

    def replace(self, name: str, raw: Any, expected: Any, age: int | None) -> bool:
        full = full_name(self.cache, name)
        with self.cache._lock:
            if not self._is_there(full, expected):
                return False
            self.cache._set(full, raw, age)
            return True

    def remove(self, name: str, expected: Any = None) -> bool:
        full = full_name(self.cache, name)
        with self.cache._lock:
            return self._is_there(full, expected) and bool(self.cache._delete(full))

    def move(self, name: str, expected: Any, lead: str, raw: Any, age: int) -> bool:
        moved = self.remove(name, expected)
        if moved:
            full = full_name(self.cache, lead)
            with self.cache._lock:
                self.cache._set(full, raw, age)
        return moved

    def rename(self, name: str, new: str, raw: Any, expected: Any, age: int | None) -> bool:
        full, renamed = full_name(self.cache, name), full_name(self.cache, new)
        with self.cache._lock:
            if self._current(renamed) is not None or not self._is_there(full, expected):
                return False
            self.cache._delete(full)
            self.cache._set(renamed, raw, age)
            return True

    def read_many(self, names: Collection[str]) -> list[Any]:
        full = map(full_name, repeat(self.cache), names)
        with self.cache._lock:
            return list(map(self._used, full))

    def write_if(
        self, conditions: Mapping[str, Any], entries: Mapping[str, Any], age: int | None
    ) -> bool:
        cache = self.cache
        full: dict[str, Any] = {}
        for name in (*conditions, *entries):
            full[name] = full.get(name) or full_name(cache, name)
        with cache._lock:
            for name, expected in conditions.items():
                current = self._current(full[name])
                if current != expected and not snapshot.is_expected(current, expected):
                    return False
            for name, raw in entries.items():
                cache._set(full[name], raw, age)
            return True

    def forget(self, names: Collection[str]) -> None:
        for name in names:
            self.remove(name)

    def _used(self, full: str) -> Any:
        """Return what there is, which is then the last to be forgotten when the cache is full."""
        cache = self.cache
        if cache._has_expired(full):
            return None
        cache._cache.move_to_end(full, last=False)
        return cache._cache[full]

    def _is_there(self, full: str, expected: Any) -> bool:
        current = self._current(full)
        return current is not None and (expected is None or snapshot.is_same(expected, current))

    def _current(self, full: str) -> Any:
        return None if self.cache._has_expired(full) else self.cache._cache[full]
