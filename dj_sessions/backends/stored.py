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
forward in its place. ``_record(data)`` makes the record to store, ``_data(record)`` reads it. The
async twin of each follows by itself: one thread hop, unless the store writes its own.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from time import sleep
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone

from dj_sessions._session import keys
from dj_sessions._session.compared import Found
from dj_sessions._session.merge import ABSENT
from dj_sessions._session.modes import Mode, finish, in_sync
from dj_sessions._session.moving import MovingSession
from dj_sessions._session.twins import driven, in_thread
from dj_sessions.exceptions import CreateError, InvalidSessionKey, UpdateError
from dj_sessions.storage.base import Record
from dj_sessions.storage.clearing import PURGE_BATCH, Purge, VerbPurge

__all__ = ["ABSENT", "Record", "StoredSession"]

#: A second collision of 165 random bits is no coincidence: the store refuses everything.
CREATE_ATTEMPTS: Final = 4


class StoredSession(MovingSession):
    """A session that a store keeps: the lifecycle that Django documents."""

    #: The key that was given and cannot be one.
    _refused_key: object = None

    def _set_session_key(self, value: str | None) -> None:
        super()._set_session_key(value)
        if self._session_key is None or self._refused_key is not None:
            self._refused_key = value if self._session_key is None else None

    def _validate_session_key(self, key: object) -> bool:
        return super()._validate_session_key(key) and keys.fits_every_store(str(key))

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
                    keys.why_refused(self._refused_key, is_custom=self._makes_own_keys())
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

    # Ending

    def delete(self, session_key: str | None = None) -> None:
        finish(self._delete(in_sync, session_key))

    async def _delete(self, mode: Mode, session_key: str | None = None) -> None:
        key = self._session_key if session_key is None else session_key
        if key is not None and self._validate_session_key(key):
            await self._prepare(mode, key)
            await mode(self._remove, self._aremove, key)

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
