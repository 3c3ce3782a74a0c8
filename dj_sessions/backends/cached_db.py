"""Sessions in the database, read from a cache.

https://docs.djangoproject.com/en/stable/topics/http/sessions/#using-cached-sessions
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from dj_sessions._twins import Mode, driven, finish, in_sync, in_thread
from dj_sessions.backends import _snapshot
from dj_sessions.backends._caching import CacheUser
from dj_sessions.backends.base import CreateError, SessionBase, UpdateError
from dj_sessions.backends.db import RowRecord
from dj_sessions.backends.db import SessionStore as DBStore
from dj_sessions.backends.stored import Record

__all__ = ["KEY_PREFIX", "CreateError", "SessionBase", "SessionStore", "UpdateError"]

KEY_PREFIX = "django.contrib.sessions.cached_db"

logger = logging.getLogger("django.contrib.sessions")


@dataclass(frozen=True, slots=True)
class CachedRecord(RowRecord):
    """A row with the age, in seconds, that its copy in the cache gets."""

    age: int = 0


class SessionStore(CacheUser, DBStore):
    """The database decides; the cache spares it the reads.

    What is cached is the data as the payload holds it, so a hit and a miss return the same.
    """

    cache_key_prefix = KEY_PREFIX

    def _read(self, key: str) -> Record | None:
        return finish(self._read_through(in_sync, key))

    async def _read_through(self, mode: Mode, key: str) -> Record | None:
        cached = await mode(self._cached, self._acached, key)
        if cached is not None:
            return Record(_snapshot.take(cached))
        return await self._read_row(mode, key)

    _aread = driven(_read, _read_through)

    def _loaded(self, record: Record, data: dict[str, Any]) -> None:
        finish(self._fill_with_loaded(in_sync, record, data))

    async def _fill_with_loaded(self, mode: Mode, record: Record, data: dict[str, Any]) -> None:
        if not isinstance(record.payload, bytes):
            age = await mode(self.get_expiry_age, self.aget_expiry_age, expiry=record.expiry)
            await mode(self._fill, self._afill, self._session_key, data, age)

    _aloaded = driven(_loaded, _fill_with_loaded)

    def _data(self, record: Record) -> dict[str, Any] | None:
        if isinstance(record.payload, bytes):
            return _snapshot.restore(record.payload)  # type: ignore[no-any-return]
        return super()._data(record)

    def _read_latest(self, key: str) -> Record | None:
        return finish(self._read_row(in_sync, key))

    _aread_latest = driven(_read_latest, DBStore._read_row)

    async def _swappable(self, mode: Mode, key: str, baseline: Record | None) -> Record | None:
        # Only the database can compare and swap, and it knows the payload, not the data.
        if baseline is None or not isinstance(baseline.payload, bytes):
            return baseline
        row = await mode(self._read_latest, self._aread_latest, key)
        same = row is not None and _snapshot.restore(baseline.payload) == self._data(row)
        return row if same else baseline

    async def _row_record(self, mode: Mode, data: dict[str, Any]) -> RowRecord:
        row = await super()._row_record(mode, data)
        age = await mode(self.get_expiry_age, self.aget_expiry_age)
        return CachedRecord(row.payload, row.expiry, row.instance, age)

    _arecord = driven(DBStore._record, _row_record)

    def _insert(self, key: str, record: Any) -> bool:
        inserted = super()._insert(key, record)
        if inserted:
            self._fill(key, self._data(record) or {}, record.age)
        return inserted

    def _replace(self, key: str, record: Any, expected: Record | None) -> bool:
        if expected is not None and isinstance(expected.payload, bytes):
            return False  # the cache was not what is stored
        replaced = super()._replace(key, record, expected)
        if replaced:
            self._fill(key, self._data(record) or {}, record.age)
        return replaced

    def _remove(self, key: str) -> bool:
        removed = super()._remove(key)
        self._cache.delete(self._cache_key_of(key))
        return removed

    def _holds(self, key: str) -> bool:
        return self._cache.has_key(self._cache_key_of(key)) or super()._holds(key)

    def _cached(self, key: str) -> dict[str, Any] | None:
        """Return the cached data; a cache that cannot be read is no reason to have no session."""
        try:
            data = self._cache.get(self._cache_key_of(key))
        except Exception:  # caches share no class of errors
            logger.exception("Error reading from cache (%s)", self._cache)
            return None
        return data if isinstance(data, dict) else None

    def _fill(self, key: str, data: dict[str, Any], age: int) -> None:
        """Cache ``data`` for ``age`` seconds; it is in the database, so failing is no loss."""
        try:
            self._cache.set(self._cache_key_of(key), data, age)
        except Exception:  # caches share no class of errors
            logger.exception("Error saving to cache (%s)", self._cache)

    _acached = in_thread(_cached)
    _afill = in_thread(_fill)
