"""Sessions in a cache alone: fast, and gone when the cache forgets them.

https://docs.djangoproject.com/en/stable/topics/http/sessions/#using-cached-sessions
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.core.cache.backends.base import InvalidCacheKey

from dj_sessions import _forward, _payload
from dj_sessions._modes import Mode, finish, in_sync
from dj_sessions._twins import driven
from dj_sessions.backends._baseline import plain
from dj_sessions.backends._caches import CacheSwap, swap_of
from dj_sessions.backends._caching import CacheUser
from dj_sessions.backends._purge import ForgottenPurge, Purge
from dj_sessions.backends.base import CreateError, SessionBase, UpdateError
from dj_sessions.backends.stored import Record

__all__ = ["KEY_PREFIX", "CreateError", "SessionBase", "SessionStore", "UpdateError"]

KEY_PREFIX = "django.contrib.sessions.cache"


@dataclass(frozen=True, slots=True)
class CacheRecord(Record):
    """A record, as the cache stores it, with its age in seconds."""

    age: int = 0


class SessionStore(CacheUser):
    """Sessions as dictionaries in a cache, which serializes them and forgets them in time."""

    cache_key_prefix = KEY_PREFIX

    _just_decoded: tuple[Record, dict[str, Any] | None] | None = None

    @property
    def _swap(self) -> CacheSwap:
        return swap_of(self._cache)

    def _read(self, key: str) -> Record | None:
        swap = self._swap
        try:
            raw = swap.read(self._cache_key_of(key))
        except (OSError, InvalidCacheKey):  # of which some are ValueErrors
            raise
        except swap.unreadable as error:
            _payload.report_corruption(f"the cache cannot read it ({type(error).__name__})")
            return None
        return None if raw is None else Record(raw)

    def _forward_in(self, record: Record) -> str | None:
        data = self._decoded(record.payload)
        self._just_decoded = record, data  # which is asked for next
        return _forward.in_data(data or {})

    def _data(self, record: Record) -> dict[str, Any] | None:
        just, self._just_decoded = self._just_decoded, None
        if just is not None and just[0] is record:
            return just[1]
        return self._decoded(record.payload)

    def _record(self, data: dict[str, Any]) -> Record:
        return finish(self._cache_record(in_sync, data))

    async def _cache_record(self, mode: Mode, data: dict[str, Any]) -> Record:
        age = self.get_expiry_age() if mode is in_sync else await self.aget_expiry_age()
        encode = self._swap.encode
        try:
            return CacheRecord(encode(plain(data)), None, int(age))
        except _payload.UNSTORABLE as error:
            remedy = "Store a value in its place that the cache can hold."
            _payload.raise_encode_error(data, encode, "The cache", remedy, error)

    _arecord = driven(_record, _cache_record)

    def _insert(self, key: str, record: CacheRecord) -> bool:
        return self._swap.insert(self._cache_key_of(key), record.payload, record.age)

    def _replace(self, key: str, record: CacheRecord, expected: Record | None) -> bool:
        there = expected or self._session_at(key)
        name = self._cache_key_of(key)
        return there is not None and self._swap.swap(
            name, record.payload, there.payload, record.age
        )

    def _remove(self, key: str) -> bool:
        return self._swap.remove(self._cache_key_of(key))

    def _take(self, key: str, expected: Record | None) -> bool:
        if expected is None:
            return self._remove(key)
        return self._swap.take(self._cache_key_of(key), expected.payload)

    def _end(self, key: str, expected: Record | None) -> bool:
        there = expected or self._session_at(key)
        return there is not None and self._take(key, there)

    def _move(self, key: str, expected: Record | None, forward: str) -> bool:
        there = expected or self._session_at(key)
        entry = self._swap.encode({_forward.MARK: forward})
        name = self._cache_key_of(key)
        return there is not None and self._swap.swap(name, entry, there.payload, _forward.AGE)

    def _holds(self, key: str) -> bool:
        return self._session_at(key) is not None

    def _session_at(self, key: str) -> Record | None:
        """Return what is stored, unless it is a forward."""
        record = self._read(key)
        return None if record is None or self._forward_in(record) else record

    @classmethod
    def _purge(cls, now: datetime, batch: int) -> int:
        return 0

    @classmethod
    def _start_purge(cls, now: datetime) -> Purge:
        return ForgottenPurge(partial(cls._purge, now))
