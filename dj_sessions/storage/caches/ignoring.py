"""A cache that ignores its errors, as django-redis does with ``IGNORE_EXCEPTIONS``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from dj_sessions.storage.caches import snapshot
from dj_sessions.storage.caches.any import CacheAdapter


class IgnoringAdapter(CacheAdapter):
    """Through the common API: what such a cache took is read again."""

    def remove(self, name: str, expected: Any = None) -> bool:
        if expected is not None and not snapshot.is_expected(self.read(name), expected):
            return False
        return self._delete(name)

    def write_if(
        self, conditions: Mapping[str, Any], entries: Mapping[str, Any], age: int | None
    ) -> bool:
        if not super().write_if(conditions, entries, age):
            return False
        present = self.read_many(entries)
        if not all(map(snapshot.is_expected, present, entries.values())):
            raise _not_taken()
        return True

    def forget(self, names: Collection[str]) -> None:
        for name in names:
            self._delete(name)

    def _delete(self, name: str) -> bool:
        removed: Any = self.cache.delete(name)
        if removed is None:  # and not False: there was nothing
            raise _not_taken()
        return bool(removed)


def _not_taken() -> LookupError:
    return LookupError("The cache did not take what it was told of a session.")
