"""Sessions that are saved, and merged, by comparison with what was loaded."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from dj_sessions._codec import forwards
from dj_sessions._metrics.recording import recorders
from dj_sessions._session import limits, logins
from dj_sessions._session.baseline import Baseline
from dj_sessions._session.blocks import is_block
from dj_sessions._session.contention import Attempts, Turn, first_turn, turn_after_others
from dj_sessions._session.counting import ENDED_MEANWHILE, count_merge, counted_merge
from dj_sessions._session.merge import LOGIN, changes, take_over
from dj_sessions._session.modes import Mode
from dj_sessions._session.recorded import RecordedSession
from dj_sessions._session.registries import before_save, dropped, registries, saved
from dj_sessions._session.twins import operation
from dj_sessions.exceptions import UpdateError
from dj_sessions.storage import Record, Storage

#: A key may have changed again; who is led on and on is led nowhere.
FORWARDS: Final = 16


class Found(NamedTuple):
    """What is stored under a key: its data, None where that is corrupt."""

    key: str
    record: Record
    data: dict[str, Any] | None

    @property
    def is_forward(self) -> bool:
        """Whether it is no session, but leads to where that is."""
        return self.record.forward is not None


class ComparedSession(RecordedSession):
    """A session that is saved where the record is as expected, and merged where it is not.

    The baseline of its data is both what a save expects to find and the base of the merge.
    """

    _storage: Storage

    # Saving

    async def _save_new(self, mode: Mode, key: str, data: dict[str, Any]) -> bool:
        """Store the session under a new key; return False if the key is taken."""
        storage = self._storage
        record = await self._limited_record(mode, data)
        save = await before_save(mode, self, key, data, record, is_new=True) if registries else None
        if not await mode(storage.insert, storage.ainsert, key, record):
            await dropped(mode, self, key)
            return False
        self._baseline = Baseline(data, key, Record(record.payload))
        if save is not None:
            await saved(mode, save, key)
        return True

    async def _save_over(self, mode: Mode, key: str, data: dict[str, Any]) -> None:
        """Store the session over what it was loaded from, or over what others made of that."""
        storage, baseline = self._storage, self._baseline_of(data)
        turn = first_turn(key)
        if turn is None:
            turn = await turn_after_others(mode, key, storage.may_wait)
        try:
            attempts = None
            stored = None if turn is None else turn.stored  # by whoever had the turn before
            seen = baseline.latest
            if stored is not None and seen is not None and stored != seen.payload:
                key = await self._catch_up(mode, key, baseline)
            while not self._is_renewed_by_others():
                expected = baseline.start_saving()
                record = await self._limited_record(mode, data)
                save = await before_save(mode, self, key, data, record) if registries else None
                if await mode(storage.replace, storage.areplace, key, record, expected):
                    self._note_saved(baseline, record, turn)
                    if save is not None:
                        await saved(mode, save, key)
                    break
                attempts = attempts or Attempts()
                await attempts.failed(mode, turn)  # before reading: what was read has changed again
                key = await self._catch_up(mode, key, baseline, record)
        finally:
            if turn is not None:
                turn.leave()

    def _note_saved(self, baseline: Baseline, record: Record, turn: Turn | None) -> None:
        baseline.saved(Record(record.payload), self._storage.commit)
        if turn is not None:
            turn.stored = record.payload

    async def _catch_up(
        self, mode: Mode, key: str, baseline: Baseline, attempted: Record | None = None
    ) -> str:
        """Take over what others have stored; return the key under which the session is.

        Raises UpdateError if the session was ended.
        """
        found = await self._current(mode, key, baseline)
        if found is None:
            if recorders:
                count_merge(ENDED_MEANWHILE)
            raise UpdateError("The session was deleted while it was in use.")
        if found.key != key:
            self._session_key = baseline.key = found.key
        baseline.settle()
        if baseline.committed is None:  # it replaces everything
            baseline.start_from(None)
        elif not baseline.go_back_to(found.record.payload):
            await self._merge(mode, baseline, found.data, attempted)
            baseline.start_from(found.record)
        return found.key

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
        is_gone = is_block(data) or await self._is_over(mode, record, data or {})
        return None if is_gone else Found(key, record, data)

    def _has_login_of(self, baseline: Baseline | None, found: Found) -> bool:
        if baseline is None or baseline.committed is None or found.data is None:
            return False
        return logins.are_same(self._decoded(baseline.committed) or {}, found.data)

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
        theirs, mine = dict(theirs), baseline.changes()
        limits.take_marks(base)
        marks = limits.take_marks(theirs)
        if mine.isdisjoint(LOGIN):  # a login begins when whoever logs in says so
            self._marks = marks
        unlike = changes(base, data, tuples_are_lists=False) - mine
        if unlike:  # as objects perhaps: what counts is what the serializer gives back
            if attempted is None:
                attempted = await self._limited_record(mode, data)
            kept = self._decoded(attempted) or {}
            mine |= unlike & changes(base, kept, tuples_are_lists=False)
        with counted_merge(self.resolve_conflict) as resolve:
            take_over(data, base, theirs, resolve, mine)

    def resolve_conflict(self, name: str, base: Any, ours: Any, theirs: Any) -> Any:
        """Return the value to save under a key that another request has changed as well.

        Called while saving, once for each such top-level key: ``base`` is the value as loaded,
        ``ours`` the one being saved, ``theirs`` the one that the other request has stored.
        ``ABSENT`` stands for no value; return it to remove the key. By default the later save
        wins: ``ours``. It may be called again for the same key, so it must change nothing. It is
        not called for the keys of a login: the later save's login is kept whole.
        """
        return ours

    @operation
    async def refresh(self, mode: Mode) -> None:
        """Load what others have saved since this session was loaded; keep its own changes.

        Raises UpdateError if the session has ended meanwhile.
        """
        if not hasattr(self, "_session_cache"):
            await mode(self._get_session, self._aget_session)
            return
        self.accessed = True
        key, baseline = self._session_key, self._baseline_of(self._session_cache)
        if key is not None and baseline.latest is not None:
            await self._catch_up(mode, key, baseline)
