"""Sessions that are stored as records, and know which record their data came from."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.utils import timezone

from dj_sessions._codec import payloads
from dj_sessions._session.baseline import Baseline, LoadedData, Origin
from dj_sessions._session.modes import Mode
from dj_sessions._session.session import SessionBase
from dj_sessions.conf import has_limits
from dj_sessions.storage import Record


class RecordedSession(SessionBase):
    """A session whose data has a baseline: the record that it came from, wherever it came from.

    Data without a baseline, as after ``clear()``, replaces whatever is stored.
    """

    _baseline: Baseline | None = None
    #: The record that was read last, until its data is in the session.
    _last_read: Origin | None = None

    def clear(self) -> None:
        super().clear()
        self._baseline = self._last_read = None

    # The baseline

    def _baseline_of(self, data: dict[str, Any]) -> Baseline:
        """Return the baseline of ``data``, which is the data in this session."""
        baseline, key = self._baseline, self._session_key
        if baseline is None or baseline.data is not data or baseline.key != key:
            origin = data.origin if isinstance(data, LoadedData) else self._last_read
            self._last_read = None
            record = origin.record if origin is not None and origin.key == key else None
            baseline = self._baseline = Baseline(data, key, record)
        return baseline

    def _loaded_baseline(self) -> Baseline | None:
        data = getattr(self, "_session_cache", None)
        return None if data is None else self._baseline_of(data)

    def _came_from(self, key: str, record: Record, data: dict[str, Any]) -> dict[str, Any]:
        """Return ``data`` with the note that ``record`` is its baseline."""
        self._loaded_baseline()  # of what is there already; the note is for what comes next
        self._last_read = origin = Origin(key, record)
        return LoadedData(data, origin) if type(data) is dict else data

    def _note_loaded(self) -> None:
        super()._note_loaded()
        if type(self._session_cache) is not LoadedData:
            self._baseline_of(self._session_cache)
        self._last_read = None

    def _assigned(self, *keys: str) -> None:
        super()._assigned(*keys)
        self._baseline_of(self._session_cache).assigned.update(keys)

    # Records

    async def _make_record(self, mode: Mode, data: dict[str, Any]) -> Record:
        """Return what to store for ``data``."""
        raise NotImplementedError

    async def _limited_record(self, mode: Mode, data: dict[str, Any]) -> Record:
        """Return what to store for ``data`` and, beside it, for the limits."""
        if not has_limits():
            return await self._make_record(mode, data)
        record = await self._make_record(mode, self._with_marks(data))
        return self._within_limits(record)  # which an override may exceed

    def _within_limits(self, record: Record) -> Record:
        """Return ``record`` with no later end than the limits allow."""
        if record.expiry is None:  # its data tells
            return record
        modified = record.modified or timezone.now()
        return replace(record, expiry=self._limited_date(record.expiry, modified))

    def _decoded(self, record: Record) -> dict[str, Any] | None:
        """Return the data of ``record``, a new copy each time; None if it is corrupt."""
        raise NotImplementedError

    async def _is_over(self, mode: Mode, record: Record, data: dict[str, Any]) -> bool:
        """Return whether a session that was read has ended, where the data alone tells."""
        if has_limits() and self._is_past_limits(data, self._saved_in(record)):
            return True
        return record.modified is not None and await self._has_expired(mode, record.modified, data)

    async def _has_expired(self, mode: Mode, modified: datetime, data: dict[str, Any]) -> bool:
        """Return whether a session with ``data``, changed at ``modified``, is past its own end."""
        return await self._end_of(mode, modified, data) <= timezone.now()

    def _saved_in(self, record: Record) -> int | None:
        """Return when ``record`` was saved (seconds since the epoch), None if it does not tell."""
        return payloads.saved_at(record.remainder) if self._tells_when_saved() else None

    def _saved_at(self) -> int | None:
        record = self._baseline_of(self._session_cache).latest
        return None if record is None else self._saved_in(record)
