"""Sessions in a cache alone: fast, and gone when the cache forgets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.core.cache.backends.base import InvalidCacheKey

from dj_sessions._codec import forwards, payloads
from dj_sessions.storage.base import Record, Storage, payload_of
from dj_sessions.storage.caches import CacheAdapter, adapter_of
from dj_sessions.storage.caches.any import report_unreadable

REMEDY: Final = "Store a value in its place that the cache can hold."


class CacheStorage(Storage):
    """Sessions as dictionaries in a cache, which serializes them and forgets them in time.

    ``name`` makes the name of an entry of a session key. The payload of a record is the *raw* value
    of the cache's adapter.
    """

    forgets_expired = True

    def __init__(self, cache: Any, name: Callable[[str], str]) -> None:
        self._cache = cache
        self._name = name

    @property
    def adapter(self) -> CacheAdapter:
        """The adapter of the cache."""
        return adapter_of(self._cache)

    @property
    def atomic_replace(self) -> bool:  # type: ignore[override] # it depends on the cache
        """Whether the cache compares and writes in one step, for all processes."""
        return self.adapter.atomic

    def read(self, key: str) -> Record | None:
        adapter, name = self.adapter, self._name(key)
        try:
            raw, lead = adapter.read_either(name, _lead(name))
        except (OSError, InvalidCacheKey):  # of which some are ValueErrors
            raise
        except adapter.unreadable as error:
            report_unreadable(error)
            return None
        if raw is not None:
            return Record(raw)
        return None if lead is None else Record(None, forward=self._forward_in(lead))

    def insert(self, key: str, record: Record) -> bool:
        return self.adapter.insert(self._name(key), record.payload, record.age)

    def replace(self, key: str, record: Record, expected: Record | None) -> bool:
        name, age = self._name(key), record.age
        return self.adapter.replace(name, record.payload, payload_of(expected), age)

    def remove(self, key: str, expected: Record | None = None) -> bool:
        return self.adapter.remove(self._name(key), payload_of(expected))

    def move(self, key: str, expected: Record | None, forward: str) -> bool:
        # Under a name of its own: to Django's own engine nothing is left under the old key.
        adapter, name = self.adapter, self._name(key)
        entry = adapter.encode({forwards.MARK: forward})
        return adapter.move(name, payload_of(expected), _lead(name), entry, forwards.AGE)

    def holds(self, key: str) -> bool:
        return self.adapter.holds(self._name(key))

    def encode(self, data: dict[str, Any]) -> Any:
        """Return the payload of ``data``; raises SessionEncodeError for what the cache refuses."""
        dumps = self.adapter.encode
        try:
            return dumps(data)
        except payloads.UNSTORABLE as error:
            payloads.raise_encode_error(data, dumps, "The cache", REMEDY, error)

    def decode(self, raw: Any) -> dict[str, Any] | None:
        """Return the data of a payload, a new copy each time, or None if it is no session's.

        The log says that it is none, and why.
        """
        return self.adapter.session_in(raw)

    def _forward_in(self, lead: Any) -> str:
        # Whatever is there: it leads on or it does not, and is never taken for a session.
        return str((self.decode(lead) or {}).get(forwards.MARK, ""))


def _lead(name: str) -> str:
    """Return the name of the entry that leads to a new key; a session key has no slash."""
    return f"{name}/moved"
