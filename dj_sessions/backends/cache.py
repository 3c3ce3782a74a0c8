"""Sessions in a cache alone: fast, and gone when the cache forgets them.

https://docs.djangoproject.com/en/stable/topics/http/sessions/#using-cached-sessions
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.core.cache.backends.base import InvalidCacheKey

from dj_sessions._codec import forwards, payloads
from dj_sessions._session.baseline import plain
from dj_sessions._session.modes import Mode, finish, in_sync
from dj_sessions._session.twins import driven
from dj_sessions.backends._caching import CacheUser
from dj_sessions.backends.base import CreateError, SessionBase, UpdateError
from dj_sessions.backends.stored import Record
from dj_sessions.storage.caches import CacheAdapter, adapter_of
from dj_sessions.storage.clearing import ForgottenPurge, Purge

__all__ = ["KEY_PREFIX", "CreateError", "SessionBase", "SessionStore", "UpdateError"]

KEY_PREFIX = "django.contrib.sessions.cache"


@dataclass(frozen=True, slots=True)
class CacheRecord(Record):
    """A record, as the cache stores it, with its age in seconds."""

    ttl: int = 0


class ForwardRecord(Record):
    """What leads to the new key of a session, in the place of its record."""


def _lead(name: str) -> str:
    """Return the name of the entry that leads to a new key; a session key has no slash."""
    return f"{name}/moved"


class SessionStore(CacheUser):
    """Sessions as dictionaries in a cache, which serializes them and forgets them in time."""

    cache_key_prefix = KEY_PREFIX

    @property
    def _swap(self) -> CacheAdapter:
        return adapter_of(self._cache)

    def _read(self, key: str) -> Record | None:
        swap, name = self._swap, self._cache_key_of(key)
        try:
            raw, lead = swap.read_either(name, _lead(name))
        except (OSError, InvalidCacheKey):  # of which some are ValueErrors
            raise
        except swap.unreadable as error:
            payloads.report_corruption(f"the cache cannot read it ({type(error).__name__})")
            return None
        if raw is None:
            return None if lead is None else ForwardRecord(lead)
        return Record(raw)

    def _forward_in(self, record: Record) -> str | None:
        if not isinstance(record, ForwardRecord):
            return None
        # Whatever is there: it leads on or it does not, and is never taken for a session.
        return str((self._decoded(record.payload) or {}).get(forwards.MARK, ""))

    def _data(self, record: Record) -> dict[str, Any] | None:
        return self._decoded(record.payload)

    def _record(self, data: dict[str, Any]) -> Record:
        return finish(self._cache_record(in_sync, data))

    async def _cache_record(self, mode: Mode, data: dict[str, Any]) -> Record:
        age = self.get_expiry_age() if mode is in_sync else await self.aget_expiry_age()
        encode = self._swap.encode
        try:
            return CacheRecord(encode(plain(data)), ttl=int(age))
        except payloads.UNSTORABLE as error:
            remedy = "Store a value in its place that the cache can hold."
            payloads.raise_encode_error(data, encode, "The cache", remedy, error)

    _arecord = driven(_record, _cache_record)

    def _insert(self, key: str, record: CacheRecord) -> bool:
        return self._swap.insert(self._cache_key_of(key), record.payload, record.ttl)

    def _replace(self, key: str, record: CacheRecord, expected: Record | None) -> bool:
        was = None if expected is None else expected.payload
        name = self._cache_key_of(key)
        return self._swap.replace(name, record.payload, was, record.ttl)

    def _remove(self, key: str) -> bool:
        return self._swap.remove(self._cache_key_of(key))

    def _take(self, key: str, expected: Record | None) -> bool:
        if expected is None:
            return self._remove(key)
        return self._swap.remove(self._cache_key_of(key), expected.payload)

    def _move(self, key: str, expected: Record | None, forward: str) -> bool:
        # Under a name of its own: to Django's own engine nothing is left under the old key.
        swap, name = self._swap, self._cache_key_of(key)
        was = None if expected is None else expected.payload
        entry = swap.encode({forwards.MARK: forward})
        return swap.move(name, was, _lead(name), entry, forwards.AGE)

    def _holds(self, key: str) -> bool:
        return self._swap.holds(self._cache_key_of(key))

    @classmethod
    def _purge(cls, now: datetime, batch: int) -> int:
        return 0

    @classmethod
    def _start_purge(cls, now: datetime) -> Purge:
        return ForgottenPurge(partial(cls._purge, now))
