"""Sessions whose key changes, or that end, while other requests are under way with them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from dj_sessions._codec import forwards, signed_text
from dj_sessions._session import events, logins
from dj_sessions._session.baseline import Baseline
from dj_sessions._session.compared import ComparedSession, Found
from dj_sessions._session.contention import Attempts
from dj_sessions._session.limits import USER_ID
from dj_sessions._session.merge import ABSENT, LOGIN
from dj_sessions._session.modes import Mode
from dj_sessions._session.registries import dropped
from dj_sessions._session.twins import in_thread
from dj_sessions.exceptions import SessionConflict, SessionEnded, UpdateError
from dj_sessions.signals import EndReason
from dj_sessions.storage import Record

#: Django's name for what shows that a login is the user's latest: made of the password.
LOGIN_HASH: Final = LOGIN[2]


class KeyChangingSession(ComparedSession):
    """A session that leaves a forward under its old key, and follows those of other requests."""

    _found_forward: Found | None
    #: The hash of the login that another request ended while this one changed its key.
    _ended_login: Any = ABSENT
    #: Whether the login goes on under another key, with another password than this request has.
    _is_outdated = False
    #: Why ``delete()`` ends a session.
    _end_reason = EndReason.DELETED

    _ais_login_stale: Callable[[Baseline | None], Coroutine[Any, Any, bool]]

    def _note_forward(self, key: str, record: Record) -> None:
        """Take note that the session asked for has moved to another key."""
        self._was_moved, self._found_forward = True, Found(key, record, None)

    async def _leads_to(self, mode: Mode) -> str | None:
        found = await self._led_on(mode, self._found_forward)
        return None if found is None else found.key

    # Changing the key

    async def _leave_key(self, mode: Mode, key: str, baseline: Baseline | None) -> None:
        new = self._session_key
        if self._deletes_its_own_way():
            await super()._leave_key(mode, key, baseline)
            await events.key_changed(mode, self, key, new)
            return
        try:
            found = await self._move_from(mode, key, baseline)
        except SessionConflict:  # it is still under the old one; after another error, who knows
            await self._drop(mode, new)
            self._session_key, self._baseline = key, baseline
            raise
        if found is not None and baseline is not None:
            await self._merge(mode, baseline, found.data)
            await mode(self.save, self.asave)

    async def _move_from(self, mode: Mode, key: str, baseline: Baseline | None) -> Found | None:
        """Have ``key`` lead to the new one; return what others had stored under it meanwhile."""
        storage = self._storage
        expected = None if baseline is None else baseline.latest
        user = self._session_cache.get(USER_ID)
        forward, attempts = forwards.make(key, self._session_key, user), Attempts()
        theirs = None
        while not await mode(storage.move, storage.amove, key, expected, forward):
            await attempts.failed(mode)
            found = await self._current(mode, key, baseline)
            if found is None:
                await self._end_missed_login(mode)
                return None
            if found.key != key:
                await self._go_along(mode, found, baseline)
                return None
            theirs, expected = found, found.record
        await events.key_changed(mode, self, key, self._session_key)
        return theirs

    async def _go_along(self, mode: Mode, found: Found, baseline: Baseline | None) -> None:
        """Use the new key of another request that has changed it first, and brings the cookie."""
        await self._drop(mode, self._session_key)
        self._session_key = found.key
        assert baseline is not None  # noqa: S101 # without one nobody is led on
        await self._merge(mode, baseline, found.data)
        baseline.key = found.key
        baseline.start_from(found.record)
        self._baseline, self._was_moved = baseline, True
        try:
            await mode(self.save, self.asave)
        except UpdateError as error:
            raise SessionEnded("The session was ended while its key was being changed.") from error

    async def _end_missed_login(self, mode: Mode) -> None:
        """Carry no login over to the new key that was ended under the old one."""
        if self._session_cache.get(USER_ID) is None:
            return
        await self._drop(mode, self._session_key)
        self._session_key = None
        self._ended_login = self._session_cache.get(LOGIN_HASH)

    async def _drop(self, mode: Mode, new: str) -> None:
        """Remove what was stored under a new key, as the session does not go on under it."""
        await mode(self._storage.remove, self._storage.aremove, new)
        await dropped(mode, self, new)

    def _refuse_ended_login(self) -> None:
        """Raise SessionEnded for a login that was ended, unless this request has logged in anew.

        That is what a new hash says, as after a change of the password; but a change of
        SECRET_KEY makes a new hash as well.
        """
        ended, self._ended_login = self._ended_login, ABSENT
        if ended is ABSENT:
            return
        if signed_text.has_old_keys() or self._session_cache.get(LOGIN_HASH) == ended:
            self.clear()
            raise SessionEnded("The session was ended while its key was being changed.")

    async def _end_loaded(self, mode: Mode, baseline: Baseline | None) -> None:
        """End the session, also where another request has changed its key."""
        key, self._ended_login = self._session_key, ABSENT
        forward, self._found_forward = self._found_forward, None
        self._was_moved = self._is_outdated = False
        if key is None and forward is not None:
            await self._end_moved(mode, forward)
        elif key is None or self._deletes_its_own_way():
            self._end_reason = EndReason.FLUSHED
            try:
                await super()._end_loaded(mode, baseline)
            finally:
                self._end_reason = EndReason.DELETED
        else:
            await self._end_as_it_is(mode, key, baseline)

    async def _end_as_it_is(self, mode: Mode, key: str, baseline: Baseline | None) -> None:
        if await mode(self._storage.remove, self._storage.aremove, key):
            await events.ended(mode, self, key, EndReason.FLUSHED)
            return
        found = await self._stored_now(mode, key)
        if found is None or not found.is_forward:
            return
        if await mode(self._is_login_stale, self._ais_login_stale, baseline):
            self._was_flushed, self._was_moved, self._is_outdated = False, True, True
        else:
            await self._end_moved(mode, found)

    @in_thread
    def _is_login_stale(self, baseline: Baseline | None) -> bool:
        """Return whether what was loaded is a login of before a change of the password.

        Django flushes such a session. The login that has moved is the one of the new password.
        """
        loaded = None if baseline is None else baseline.committed
        return loaded is not None and logins.is_stale(self._decoded(loaded) or {})

    async def _end_moved(self, mode: Mode, forward: Found) -> None:
        """End the login that was moved: the visitor has logged out under the old key."""
        target = forwards.target(forward.key, forward.record.forward)
        found = await self._led_on(mode, forward)
        if target is None or target.user is None or found is None:
            return
        if (found.data or {}).get(USER_ID) != target.user:
            return
        if await mode(self._storage.remove, self._storage.aremove, found.key):
            self._owner = target.user
            await events.ended(mode, self, found.key, EndReason.FLUSHED)

    def _came_late(self) -> bool:
        """Return whether this anonymous session would take the place of one whose key has changed.

        The browser has the new key, or is about to get it, by the response of another request.
        """
        data = getattr(self, "_session_cache", {})
        has_moved = self._is_outdated or self._found_forward is not None
        return has_moved and data.get(USER_ID) is None

    def _deletes_its_own_way(self) -> bool:
        """Return whether a subclass overrides ``delete()``, which then ends the old key."""
        raise NotImplementedError
