"""``StoredSession``: the lifecycle once, over five storage verbs.

A store implements the verbs and nothing else. *Not found* is None or False; what is broken
raises the store's own error, which nobody turns into "no session".

=====================================  ======  =================================================
``_read(key)``                         Record  None: unknown, expired or malformed
``_insert(key, record)``               bool    False: the key is taken
``_replace(key, record, expected)``    bool    False: changed or gone since ``expected``
``_remove(key)``                       bool    False: there was nothing
``_purge(now, batch)``                 int     how many expired sessions it removed
=====================================  ======  =================================================

Around them: ``_holds(key)`` answers ``exists()``, ``_read_latest(key)`` reads past any cache,
``_take(key, expected)`` removes only what is as expected, ``_move(key, expected, forward)`` puts a
forward in its place and ``_end(key, expected)`` ends a session that was loaded. ``_record(data)``
makes the record to store, ``_data(record)`` reads it. The async twin of each follows by itself:
one thread hop, unless the store writes its own.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from time import sleep
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone

from dj_sessions import _forward, _keys, _signing
from dj_sessions._merge import ABSENT, LOGIN
from dj_sessions._modes import Mode, finish, in_sync
from dj_sessions._twins import driven, in_thread
from dj_sessions.backends._baseline import Baseline
from dj_sessions.backends._compared import AUTHENTICATED, ComparedSession, Found
from dj_sessions.backends._contention import Attempts
from dj_sessions.backends._purge import PURGE_BATCH, Purge, VerbPurge
from dj_sessions.backends._record import Record
from dj_sessions.exceptions import CreateError, InvalidSessionKey, SessionEnded, UpdateError

__all__ = ["ABSENT", "Record", "StoredSession"]

#: A second collision of 165 random bits is no coincidence: the store refuses everything.
CREATE_ATTEMPTS: Final = 4

#: Django's name for what shows that a login is the user's latest: made of the password.
LOGIN_HASH: Final = LOGIN[2]


class StoredSession(ComparedSession):
    """A session that a store keeps: the lifecycle that Django documents."""

    #: The key that was given and cannot be one.
    _refused_key: object = None
    #: What stands under the key of this request in the place of a session.
    _found_forward: Found | None = None
    #: The hash of the login that another request ended while this one changed its key.
    _ended_login: Any = ABSENT

    def _set_session_key(self, value: str | None) -> None:
        super()._set_session_key(value)
        if self._session_key is None or self._refused_key is not None:
            self._refused_key = value if self._session_key is None else None

    def _validate_session_key(self, key: object) -> bool:
        return super()._validate_session_key(key) and _keys.fits_every_store(str(key))

    # Reading

    def exists(self, session_key: str) -> bool:
        return finish(self._exists(in_sync, session_key))

    async def _exists(self, mode: Mode, session_key: str | None) -> bool:
        if session_key is None or not self._validate_session_key(session_key):
            return False
        await self._prepare(mode, session_key)
        return await mode(self._holds, self._aholds, session_key)

    def load(self) -> dict[str, Any]:
        return finish(self._load(in_sync))

    async def _load(self, mode: Mode) -> dict[str, Any]:
        self.accessed = True
        key = self._session_key
        record = None
        if key is not None:
            await self._prepare(mode, key)
            record = self._read(key) if mode is in_sync else await self._aread(key)
        forward = None if record is None else self._forward_in(record)
        if key is not None and record is not None and forward is not None:
            self._was_moved, self._found_forward = True, Found(key, record, None, forward)
            record = None
        data = {} if record is None else self._data(record) or {}
        if record is None or await self._expired(mode, record, data):
            self._session_key = None
            return {}
        if mode is in_sync:
            self._loaded(record, data)
        else:
            await self._aloaded(record, data)
        return self._came_from(key, record, data)

    # Creating and saving

    def create(self) -> None:
        finish(self._create(in_sync))

    async def _create(self, mode: Mode) -> None:
        self._refuse_ended_login()
        before = self._session_key, self._baseline
        try:
            await self._create_with_new_key(mode)
        except BaseException:  # nothing is stored under the new key
            self._session_key, self._baseline = before
            raise
        self.modified, self._was_moved = True, False

    async def _create_with_new_key(self, mode: Mode) -> None:
        for _ in range(CREATE_ATTEMPTS):
            key = await mode(self._get_new_session_key, self._aget_new_session_key)
            self._session_key = key
            if self._session_key is None:
                raise ValueError(
                    f"_get_new_session_key() returned {key!r}, which cannot be a session key. "
                    "Return 8 or more characters, none of them white space, control or slash."
                )
            try:
                await mode(self.save, self.asave, must_create=True)
            except CreateError:
                continue
            return
        raise RuntimeError(
            "Unable to create a new session key: the store refused "
            f"{CREATE_ATTEMPTS} random ones. It is likely that the cache is unavailable."
        )

    def save(self, must_create: bool = False) -> None:
        finish(self._save(in_sync, must_create))

    async def _save(self, mode: Mode, must_create: bool = False) -> None:
        if self._session_key is None:
            if must_create and self._refused_key is not None:
                raise InvalidSessionKey(
                    _keys.why_refused(self._refused_key, is_custom=self._makes_own_keys())
                )
            await mode(self.create, self.acreate)
            return
        if mode is in_sync:
            data = self._get_session(no_load=must_create)
        else:
            data = await self._aget_session(no_load=must_create)
        if self._session_key is None:
            raise UpdateError("There is no session under this key; it may have expired.")
        await self._prepare(mode, self._session_key)
        if not must_create:
            await self._save_over(mode, self._session_key, data)
        elif not await self._save_new(mode, self._session_key, data):
            raise CreateError("The session key is taken.")

    # Changing the key

    async def _leave_key(self, mode: Mode, key: str, baseline: Baseline | None) -> None:
        if self._deletes_its_own_way():
            await super()._leave_key(mode, key, baseline)
            return
        await self._prepare(mode, key)
        new = self._session_key
        try:
            found = await self._move_from(mode, key, baseline)
        except BaseException:
            if self._session_key == new:  # it is still under the old one
                await mode(self._remove, self._aremove, new)
                self._session_key, self._baseline = key, baseline
            raise
        if found is not None and baseline is not None:
            await self._merge(mode, baseline, found.data)
            await mode(self.save, self.asave)

    async def _move_from(self, mode: Mode, key: str, baseline: Baseline | None) -> Found | None:
        """Have ``key`` lead to the new one; return what others had stored under it meanwhile."""
        latest = None if baseline is None else baseline.latest
        expected = await self._swappable(mode, key, latest)
        user = self._session_cache.get(AUTHENTICATED)
        forward, attempts = _forward.make(key, self._session_key, user), Attempts()
        theirs = None
        while not await mode(self._move, self._amove, key, expected, forward):
            await attempts.failed(mode)
            found = await self._current(mode, key, baseline)
            if found is None:
                await self._end_missed_login(mode)
                return None
            if found.key != key:
                await self._go_along(mode, found, baseline)
                return None
            theirs, expected = found, found.record
        return theirs

    async def _go_along(self, mode: Mode, found: Found, baseline: Baseline | None) -> None:
        """Use the new key of another request that has changed it first, and brings the cookie."""
        await mode(self._remove, self._aremove, self._session_key)
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
        if AUTHENTICATED not in self._session_cache:
            return
        await mode(self._remove, self._aremove, self._session_key)
        self._session_key = None
        self._ended_login = self._session_cache.get(LOGIN_HASH)

    def _refuse_ended_login(self) -> None:
        """Raise SessionEnded for a login that was ended, unless this request has logged in anew.

        That is what a new hash says, as after a change of the password; but a change of
        SECRET_KEY makes a new hash as well.
        """
        ended, self._ended_login = self._ended_login, ABSENT
        if ended is ABSENT:
            return
        if _signing.has_old_keys() or self._session_cache.get(LOGIN_HASH) == ended:
            self.clear()
            raise SessionEnded("The session was ended while its key was being changed.")

    # Ending

    def delete(self, session_key: str | None = None) -> None:
        finish(self._delete(in_sync, session_key))

    async def _delete(self, mode: Mode, session_key: str | None = None) -> None:
        key = self._session_key if session_key is None else session_key
        if key is not None and self._validate_session_key(key):
            await self._prepare(mode, key)
            await mode(self._remove, self._aremove, key)

    async def _end_loaded(self, mode: Mode, baseline: Baseline | None) -> None:
        """End the session, also where another request has changed its key."""
        key, self._ended_login = self._session_key, ABSENT
        forward, self._found_forward = self._found_forward, None
        if key is None and forward is not None:
            await self._end_moved(mode, forward)
        elif key is None or self._deletes_its_own_way():
            await super()._end_loaded(mode, baseline)
        else:
            await self._prepare(mode, key)
            await self._end_as_it_is(mode, key, baseline)
        self._was_moved = False

    async def _end_as_it_is(self, mode: Mode, key: str, baseline: Baseline | None) -> None:
        expected = None if baseline is None else baseline.latest
        attempts = Attempts()
        while not await mode(self._end, self._aend, key, expected):
            await attempts.failed(mode)
            found = await self._stored_now(mode, key)
            if found is None:
                return
            if found.is_forward:
                await self._end_moved(mode, found)
                return
            expected = found.record

    async def _end_moved(self, mode: Mode, forward: Found) -> None:
        """End the login that was moved: the visitor has logged out under the old key."""
        target = _forward.target(forward.key, forward.forward)
        found = await self._led_on(mode, forward)
        if target is None or target.user is None or found is None:
            return
        if (found.data or {}).get(AUTHENTICATED) == target.user:
            await mode(self._remove, self._aremove, found.key)

    def _came_late(self) -> bool:
        """Return whether this anonymous session would take the place of one whose key has changed.

        The browser has the new key, or is about to get it, by the response of another request.
        """
        data = getattr(self, "_session_cache", {})
        return self._found_forward is not None and AUTHENTICATED not in data

    def _deletes_its_own_way(self) -> bool:
        ours = StoredSession.delete, StoredSession.adelete
        return (type(self).delete, type(self).adelete) != ours

    @classmethod
    def clear_expired(cls) -> None:
        for batch in cls._start_purge(timezone.now()).batches(PURGE_BATCH):
            sleep(batch.pause)

    @classmethod
    def _start_purge(cls, now: datetime) -> Purge:
        """Return a run over the sessions that had expired at ``now``."""
        return VerbPurge(partial(cls._purge, now))

    if not TYPE_CHECKING:  # the type stubs of Django declare these
        aexists = driven(exists, _exists)
        aload = driven(load, _load)
        acreate = driven(create, _create)
        asave = driven(save, _save)
        adelete = driven(delete, _delete)
        aclear_expired = classmethod(in_thread(clear_expired.__func__))
