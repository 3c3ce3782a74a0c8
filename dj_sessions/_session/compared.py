"""Sessions that are saved, moved and ended by comparison with what was loaded."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django.utils import timezone

from dj_sessions._codec import forwards, signed_text
from dj_sessions._session.baseline import Baseline, LoadedData, Origin
from dj_sessions._session.contention import Attempts, first_turn, turn_after_others
from dj_sessions._session.merge import LOGIN, changes, take_over
from dj_sessions._session.modes import Mode
from dj_sessions._session.session import SessionBase
from dj_sessions._session.twins import operation
from dj_sessions.exceptions import UpdateError
from dj_sessions.storage import Record, Storage

#: A key may have changed again; who is led on and on is led nowhere.
FORWARDS: Final = 16

#: Django's name for the user's id, which the session of a visitor has who is logged in.
AUTHENTICATED: Final = LOGIN[0]


class Found(NamedTuple):
    """What is stored under a key: its data, None where that is corrupt."""

    key: str
    record: Record
    data: dict[str, Any] | None

    @property
    def is_forward(self) -> bool:
        """Whether it is no session, but leads to where that is."""
        return self.record.forward is not None


class ComparedSession(SessionBase):
    """A session whose data has a baseline: the record that it came from, wherever it came from.

    The record is both what a save expects to find and the base of the merge when it finds
    something else. Data without a baseline, as after ``clear()``, replaces whatever is stored.
    """

    _storage: Storage
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

    def _decoded(self, record: Record) -> dict[str, Any] | None:
        """Return the data of ``record``, a new copy each time; None if it is corrupt."""
        raise NotImplementedError

    async def _is_over(self, mode: Mode, record: Record, data: dict[str, Any]) -> bool:
        """Return whether a session that was read has ended, where the data alone tells."""
        if record.modified is None:
            return False
        return await self._end_of(mode, record.modified, data) <= timezone.now()

    # Saving

    async def _save_new(self, mode: Mode, key: str, data: dict[str, Any]) -> bool:
        """Store the session under a new key; return False if the key is taken."""
        storage = self._storage
        record = await self._make_record(mode, data)
        if not await mode(storage.insert, storage.ainsert, key, record):
            return False
        self._baseline = Baseline(data, key, Record(record.payload))
        return True

    async def _save_over(self, mode: Mode, key: str, data: dict[str, Any]) -> None:
        """Store the session over what it was loaded from, or over what others made of that."""
        storage, baseline = self._storage, self._baseline_of(data)
        turn = first_turn(key)
        if turn is None:
            turn = await turn_after_others(mode, key, storage.may_wait)
        try:
            expected, attempts = baseline.latest, None
            stored = None if turn is None else turn.stored  # by whoever had the turn before
            if stored is not None and expected is not None and stored != expected.payload:
                key, expected = await self._catch_up(mode, key, baseline)
            while True:
                baseline.start_saving()
                record = await self._make_record(mode, data)
                if await mode(storage.replace, storage.areplace, key, record, expected):
                    break
                attempts = attempts or Attempts()
                await attempts.failed(mode, turn)  # before reading: what was read has changed again
                key, expected = await self._catch_up(mode, key, baseline, record)
            baseline.saved(Record(record.payload), storage.commit)
            if turn is not None:
                turn.stored = record.payload
        finally:
            if turn is not None:
                turn.leave()

    async def _catch_up(
        self, mode: Mode, key: str, baseline: Baseline, attempted: Record | None = None
    ) -> tuple[str, Record | None]:
        """Take over what others have stored; return the key, and the record to expect under it.

        Raises UpdateError if the session was ended.
        """
        found = await self._current(mode, key, baseline)
        if found is None:
            raise UpdateError("The session was deleted while it was in use.")
        if found.key != key:
            self._session_key = baseline.key = found.key
        baseline.settle()
        if baseline.committed is None:  # it replaces everything
            baseline.start_from(None)
            return found.key, None
        if not baseline.go_back_to(found.record.payload):
            await self._merge(mode, baseline, found.data, attempted)
            baseline.start_from(found.record)
        return found.key, found.record

    async def _current(self, mode: Mode, key: str, baseline: Baseline | None) -> Found | None:
        """Return what is stored under ``key``, or where another request has moved it, if at all.

        Nobody gets by a forward what the request had not: the session that it leads to must have
        the very login that was loaded. One that was anonymous leads nowhere: its key changes where
        somebody logs in, and the old one may be known to somebody else.
        """
        found = await self._led_on(mode, await self._stored_now(mode, key))
        if found is None or found.key == key:
            return found
        if found.key == self._session_key:  # a lead of our own, from what has ended instead
            return None
        self._was_moved = True
        return found if self._has_login_of(baseline, found) else None

    async def _led_on(self, mode: Mode, found: Found | None) -> Found | None:
        """Return the session that a forward leads to; a session itself."""
        for _ in range(FORWARDS):
            if found is None or not found.is_forward:
                return found
            target = forwards.target(found.key, found.record.forward)
            if target is None:
                return None
            found = await self._stored_now(mode, target.key)
        return None

    async def _stored_now(self, mode: Mode, key: str) -> Found | None:
        """Return the session or the forward under ``key``, past any cache, or None."""
        storage = self._storage
        record = await mode(storage.read_latest, storage.aread_latest, key)
        if record is None or record.forward is not None:
            return None if record is None else Found(key, record, None)
        data = self._decoded(record)
        return None if await self._is_over(mode, record, data or {}) else Found(key, record, data)

    def _has_login_of(self, baseline: Baseline | None, found: Found) -> bool:
        if baseline is None or baseline.committed is None or found.data is None:
            return False
        # A new hash says that the password has changed, unless SECRET_KEY has.
        names = LOGIN[:2] if signed_text.has_old_keys() else LOGIN
        mine, theirs = self._decoded(baseline.committed) or {}, found.data
        same = all(mine.get(name) == theirs.get(name) for name in names)
        return same and mine.get(AUTHENTICATED) is not None

    async def _merge(
        self,
        mode: Mode,
        baseline: Baseline,
        theirs: dict[str, Any] | None,
        attempted: Record | None = None,
    ) -> None:
        """Take over into the data what others have changed; what is corrupt is replaced."""
        if baseline.committed is None or theirs is None:
            return
        # Of what was read: the text that it is expected to have cannot always be made again.
        data, base = baseline.data, self._decoded(baseline.committed) or {}
        mine = baseline.changes()
        unlike = changes(base, data) - mine
        if unlike:  # as objects perhaps: what counts is what the serializer gives back
            if attempted is None:
                attempted = await self._make_record(mode, data)
            mine |= unlike & changes(base, self._decoded(attempted) or {})
        take_over(data, base, theirs, self.resolve_conflict, mine)

    def resolve_conflict(self, name: str, base: Any, ours: Any, theirs: Any) -> Any:
        """Return the value of a key that this session and another request's changed apart.

        Called while saving, once for each such top-level key: ``base`` is the value as loaded,
        ``ours`` the one being saved, ``theirs`` the one that the other request has stored.
        ``ABSENT`` stands for no value, also where it is returned. By default the later save
        wins: ``ours``. It may be called again for the same key, so it must change nothing. It is
        not asked about a login, which is one value: the later save's.
        """
        return ours

    @operation
    async def refresh(self, mode: Mode) -> None:
        """Take over what others have saved since this session was loaded; keep its own changes.

        Raises UpdateError if the session was ended meanwhile.
        """
        if not hasattr(self, "_session_cache"):
            await mode(self._get_session, self._aget_session)
            return
        self.accessed = True
        key, baseline = self._session_key, self._baseline_of(self._session_cache)
        if key is not None and baseline.latest is not None:
            await self._catch_up(mode, key, baseline)
