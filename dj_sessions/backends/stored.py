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
``_take(key, expected)`` removes only what is as expected, ``_record(data)`` makes the record to
store and ``_data(record)`` reads it. The async twin of each follows by itself: one thread hop,
unless the store writes its own.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from time import sleep
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone

from dj_sessions import _keys
from dj_sessions._merge import ABSENT, take_over
from dj_sessions._twins import Mode, driven, finish, in_sync, in_thread
from dj_sessions.backends._names import share
from dj_sessions.backends._purge import PURGE_BATCH, Purge, VerbPurge
from dj_sessions.backends._record import Record
from dj_sessions.backends._verbs import StorageVerbs
from dj_sessions.exceptions import CreateError, SessionConflict, SessionEnded, UpdateError

__all__ = ["ABSENT", "Record", "StoredSession"]

#: A second collision of 165 random bits is no coincidence: the store refuses everything.
CREATE_ATTEMPTS: Final = 4

#: Each conflict means that somebody else's save succeeded, so a few may follow each other.
SAVE_ATTEMPTS: Final = 16

#: Django's name for the user's id, which the session of a visitor has who is logged in.
AUTHENTICATED: Final = "_auth_user_id"


class StoredSession(StorageVerbs):
    """A session that a store keeps, saved by compare-and-swap.

    The record as loaded is both what a save expects to find and the base of the merge when it
    finds something else. ``clear()`` forgets it: what follows replaces whatever is stored.
    """

    _baseline: Record | None = None

    def _set_session_key(self, value: str | None) -> None:
        super()._set_session_key(value)
        self._baseline = None

    def _validate_session_key(self, key: object) -> bool:
        return super()._validate_session_key(key) and _keys.fits_every_store(str(key))

    def clear(self) -> None:
        super().clear()
        self._baseline = None

    # The lifecycle

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
        data = {} if record is None else self._data(record) or {}
        if record is None or await self._expired(mode, record, data):
            self._session_key = None
            return {}
        if not hasattr(self, "_session_cache"):
            self._baseline = record
        if mode is in_sync:
            self._loaded(record, data)
        else:
            await self._aloaded(record, data)
        return share(data)

    async def _prepare(self, mode: Mode, key: str) -> None:
        self._before_io(key) if mode is in_sync else await self._abefore_io(key)

    async def _expired(self, mode: Mode, record: Record, data: dict[str, Any]) -> bool:
        if mode is in_sync:
            return self._has_expired(record, data)
        return await self._ahas_expired(record, data)

    def create(self) -> None:
        finish(self._create(in_sync))

    async def _create(self, mode: Mode) -> None:
        before = self._session_key, self._baseline
        try:
            await self._create_with_new_key(mode)
        except BaseException:  # nothing is stored under the new key
            self._session_key, self._baseline = before
            raise
        self.modified = True

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
            await mode(self.create, self.acreate)
            return
        if mode is in_sync:
            data = self._get_session(no_load=must_create)
        else:
            data = await self._aget_session(no_load=must_create)
        if self._session_key is None:
            raise UpdateError("There is no session under this key; it may have expired.")
        await self._prepare(mode, self._session_key)
        if must_create:
            await self._save_new(mode, self._session_key, data)
        else:
            await self._save_over(mode, self._session_key, data)

    async def _save_new(self, mode: Mode, key: str, data: dict[str, Any]) -> None:
        record = await mode(self._record, self._arecord, data)
        if not await mode(self._insert, self._ainsert, key, record):
            raise CreateError("The session key is taken.")
        self._baseline = Record(record.payload)

    async def _save_over(self, mode: Mode, key: str, data: dict[str, Any]) -> None:
        baseline = self._baseline
        expected = await self._swappable(mode, key, baseline)
        for _ in range(SAVE_ATTEMPTS):
            if mode is in_sync:
                record = self._record(data)
                replaced = self._replace(key, record, expected)
            else:
                record = await self._arecord(data)
                replaced = await self._areplace(key, record, expected)
            if replaced:
                self._baseline = Record(record.payload)
                return
            current, theirs = await self._stored_now(mode, key)
            if current is None:
                raise UpdateError("The session was deleted while it was in use.")
            if expected is not None:
                self._merge(data, baseline, theirs)
                baseline = expected = self._baseline = current
        raise SessionConflict(SAVE_ATTEMPTS)

    async def _stored_now(
        self, mode: Mode, key: str
    ) -> tuple[Record | None, dict[str, Any] | None]:
        """Return what is stored, past any cache, and its data: None where it is corrupt."""
        record = await mode(self._read_latest, self._aread_latest, key)
        data = None if record is None else self._data(record)
        if record is None or await self._expired(mode, record, data or {}):
            return None, None
        return record, data

    def _merge(
        self, data: dict[str, Any], baseline: Record | None, theirs: dict[str, Any] | None
    ) -> None:
        """Take over into ``data`` what others have changed; what is corrupt is replaced."""
        if baseline is not None and theirs is not None:
            # Of what was read: the text that it is expected to have cannot always be made again.
            take_over(data, self._data(baseline) or {}, theirs, self.resolve_conflict)

    def resolve_conflict(self, name: str, base: Any, ours: Any, theirs: Any) -> Any:
        """Return the value of a key that this session and another request's changed apart.

        Called while saving, once for each such top-level key: ``base`` is the value as loaded,
        ``ours`` the one being saved, ``theirs`` the one that the other request has stored.
        ``ABSENT`` stands for no value, also where it is returned. By default the later save
        wins: ``ours``. It may be called again for the same key, so it must change nothing.
        """
        return ours

    async def _swappable(self, mode: Mode, key: str, baseline: Record | None) -> Record | None:
        """Return what the store can compare with, in place of what was loaded."""
        return baseline

    def delete(self, session_key: str | None = None) -> None:
        finish(self._delete(in_sync, session_key))

    async def _delete(self, mode: Mode, session_key: str | None = None) -> None:
        key = self._session_key if session_key is None else session_key
        if key is not None and self._validate_session_key(key):
            await self._end(mode, key)

    async def _end(self, mode: Mode, key: str) -> bool:
        """Remove what is stored under ``key``; tell whether there was anything."""
        await self._prepare(mode, key)
        return await mode(self._remove, self._aremove, key)

    async def _leave_key(self, mode: Mode, key: str, baseline: Record | None) -> None:
        if self._deletes_its_own_way():
            await super()._leave_key(mode, key, baseline)
            return
        await self._prepare(mode, key)
        expected = await self._swappable(mode, key, baseline)
        for _ in range(SAVE_ATTEMPTS):
            if await mode(self._take, self._atake, key, expected):
                return
            current, theirs = await self._stored_now(mode, key)
            if current is None:
                await self._end_missed_login(mode)
                return
            self._merge(self._session_cache, baseline, theirs)
            await mode(self.save, self.asave)
            baseline = expected = current
        raise SessionConflict(SAVE_ATTEMPTS)

    async def _end_missed_login(self, mode: Mode) -> None:
        """Carry nothing over to the new key of a login that was ended under the old one."""
        if AUTHENTICATED in self._session_cache:
            await self._flush(mode)
            raise SessionEnded("The session was ended while its key was being changed.")

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
