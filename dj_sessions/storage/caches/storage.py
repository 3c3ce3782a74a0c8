"""Sessions in a cache alone: fast, and gone when the cache forgets them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.cache.backends.base import InvalidCacheKey
from django.utils import timezone

from dj_sessions import _keys
from dj_sessions._codec import forwards
from dj_sessions._codec.unstorable import UNSTORABLE, raise_encode_error
from dj_sessions.storage.base import Record, Storage, payload_of
from dj_sessions.storage.caches import CacheAdapter, adapter_of
from dj_sessions.storage.caches.any import report_unreadable
from dj_sessions.storage.listing import in_batches, refuse_after

REMEDY: Final = "Store a value in its place that the cache can hold."


class CacheStorage(Storage):
    """Sessions as dictionaries in a cache, which serializes them and forgets them in time.

    ``name`` makes the name of an entry of a session key; ``has_own_keys()`` returns whether these
    may be other ones than those of this package. The payload of a record is the *raw* value of the
    cache's adapter.
    """

    forgets_expired = True

    def __init__(
        self, cache: Any, name: Callable[[str], str], has_own_keys: Callable[[], bool] = bool
    ) -> None:
        self._cache = cache
        self._name = name
        self._has_own_keys = has_own_keys

    @property
    def adapter(self) -> CacheAdapter:
        """The adapter of the cache."""
        return adapter_of(self._cache)

    @property
    def place(self) -> Any:
        """The cache, and the name of the entry that a session of some key would have."""
        return self._cache, self._name("0" * _keys.LENGTH)

    @property
    def atomic_replace(self) -> bool:  # type: ignore[override] # it depends on the cache
        """Whether the cache compares and writes in one step, for all processes."""
        return self.adapter.atomic

    @property
    def atomic_rename(self) -> bool:  # type: ignore[override]
        """Whether the cache renames in one step, for all processes."""
        return self.adapter.atomic_rename

    def read(self, key: str) -> Record | None:
        name = self._name(key)
        return self._record(*self._read(self.adapter.read_either, name, _lead(name)))

    def read_whole(self, key: str) -> Record | None:
        found = self.read(key)
        if found is None or found.forward is not None:
            return found
        left = self.adapter.seconds_left(self._name(key))
        return found if left is None else replace(found, expiry=_in(left))

    def read_renamed(self, key: str, new: str, latest: bool = False) -> tuple[str, Record] | None:
        names = list(map(self._name, (key, new)))
        leads = list(map(_lead, names))
        found = self._read(lambda *names: self.adapter.read_many(names), *names, *leads)
        for place, entry, lead in zip((key, new), found[:2], found[2:], strict=True):
            record = self._record(entry, lead)
            if record is not None:
                return place, record
        return None

    def _read(self, read: Callable[..., Any], *names: str) -> Any:
        """Return what is stored under ``names``; nothing where the cache cannot read it."""
        try:
            return read(*names)
        except (OSError, InvalidCacheKey):  # of which some are ValueErrors
            raise
        except self.adapter.unreadable as error:
            report_unreadable(error)
            return [None] * len(names)

    def _record(self, raw: Any, lead: Any) -> Record | None:
        if raw is not None:
            return Record(raw)
        return None if lead is None else Record(None, forward=self._forward_in(lead))

    def insert(self, key: str, record: Record) -> bool:
        return self.adapter.insert(self._name(key), record.payload, record.age)

    def replace(self, key: str, record: Record, expected: Record | None) -> bool:
        name, age = self._name(key), record.age
        return self.adapter.replace(name, record.payload, payload_of(expected), age)

    def rename(self, key: str, new: str, record: Record, expected: Record | None) -> str | None:
        names, raw = (self._name(key), self._name(new)), record.payload
        renamed = self.adapter.rename(*names, raw, payload_of(expected), record.age)
        return new if renamed else None

    def remove(self, key: str, expected: Record | None = None) -> bool:
        return self.adapter.remove(self._name(key), payload_of(expected))

    def move(self, key: str, expected: Record | None, forward: str) -> bool:
        # Under a name of its own: to Django's own engine nothing is left under the old key.
        adapter, name = self.adapter, self._name(key)
        entry = adapter.encode({forwards.MARK: forward})
        return adapter.move(name, payload_of(expected), _lead(name), entry, forwards.AGE)

    def drop_forward(self, key: str) -> None:
        self.adapter.remove(_lead(self._name(key)))

    def holds(self, key: str) -> bool:
        return self.adapter.holds(self._name(key))

    def names(self, batch: int, after: str = "") -> Iterator[list[str]]:
        refuse_after(after, "A cache")
        if self._has_own_keys():  # any entry of the cache might be a session
            raise NotImplementedError("A cache does not tell keys of the site's own from others")
        return in_batches(self.adapter.listed(self._name), batch)

    def encode(self, data: Any) -> Any:
        """Return the payload of ``data``; raises SessionEncodeError for what the cache refuses."""
        dumps = self.adapter.encode
        try:
            return dumps(data)
        except UNSTORABLE as error:
            raise_encode_error(data, dumps, "The cache", REMEDY, error)

    def decode(self, raw: Any) -> dict[str, Any] | None:
        """Return the data of a payload, a new copy each time, or None if it is no session's.

        The log says that it is none, and why.
        """
        return self.adapter.session_in(raw)

    def value(self, raw: Any, key: str | None = None) -> dict[str, Any] | str | None:
        """Return what ``decode()`` does, or the text that is kept in place of the data.

        ``key`` is that of the session, where it is known.
        """
        value: dict[str, Any] | str | None = self.adapter.value_in(raw, dict, str, key=key)
        return value

    def _forward_in(self, lead: Any) -> str:
        # Whatever is there: it leads on or it does not, and is never taken for a session.
        return str((self.decode(lead) or {}).get(forwards.MARK, ""))


def _in(seconds: float) -> datetime:
    return timezone.now() + timedelta(seconds=seconds)


def _lead(name: str) -> str:
    """Return the name of the entry that leads to a new key; a session key has no slash."""
    return f"{name}/moved"
