"""``StoredSession``: a session that a storage keeps. Every engine but the signed cookies is one.

An engine gives it a storage: ``get_storage()``. What Django documents as hooks stays here; what is
read and written, and how it is compared, is the storage's. See ``dj_sessions.storage``.
"""

from __future__ import annotations

from datetime import datetime
from time import sleep
from typing import Any, Final

from django.utils import timezone
from django.utils.functional import cached_property

from dj_sessions import _keys
from dj_sessions._codec import payloads
from dj_sessions._session import events
from dj_sessions._session.merge import ABSENT
from dj_sessions._session.modes import Mode
from dj_sessions._session.moving import MovingSession
from dj_sessions._session.session import SessionBase
from dj_sessions._session.twins import in_thread, operation
from dj_sessions.exceptions import CreateError, InvalidSessionKey, UpdateError
from dj_sessions.storage import Record, Storage
from dj_sessions.storage.clearing import Purge

__all__ = ["ABSENT", "Record", "Storage", "StoredSession"]

#: A second collision of 165 random bits is no coincidence: the store refuses everything.
CREATE_ATTEMPTS: Final = 4


class StoredSession(MovingSession):
    """A session that a storage keeps: the lifecycle that Django documents."""

    #: The key that was given and cannot be one.
    _refused_key: object = None
    #: All that waits is the storage's.
    blocking = False

    def get_storage(self) -> Storage:
        """Return the storage of this session; asked once, when it is first needed."""
        kind = type(self)
        raise NotImplementedError(
            f"{kind.__module__}.{kind.__qualname__} must provide get_storage()"
        )

    @cached_property
    def _storage(self) -> Storage:  # type: ignore[override]
        return self.get_storage()

    @property
    def _is_awaited(self) -> bool:
        return self._async_overrides or self._storage.async_native

    @property
    def _blocks(self) -> bool:
        return self.blocking or self._storage.blocking

    def _set_session_key(self, value: str | None) -> None:
        super()._set_session_key(value)
        if self._session_key is None or self._refused_key is not None:
            self._refused_key = value if self._session_key is None else None

    def _validate_session_key(self, key: object) -> bool:
        return super()._validate_session_key(key) and _keys.fits_every_store(str(key))

    # Records

    async def _make_record(self, mode: Mode, data: dict[str, Any]) -> Record:
        modified = timezone.now()
        expiry = await mode(self.get_expiry_date, self.aget_expiry_date, modification=modified)
        return Record(self.encode(data), expiry, modified)

    def _decoded(self, record: Record) -> dict[str, Any] | None:
        data = record.data
        if data is not None:
            return data
        if type(self).decode is not SessionBase.decode:
            return self.decode(record.payload)
        return payloads.decode(record.payload, self.serializer, self.key_salt, self._place)

    # Reading

    @operation
    async def exists(self, mode: Mode, session_key: str) -> bool:
        """Return whether a session is stored under ``session_key``."""
        if session_key is None or not self._validate_session_key(session_key):
            return False
        return await mode(self._storage.holds, self._storage.aholds, session_key)

    @operation
    async def load(self, mode: Mode) -> dict[str, Any]:
        """Return the stored data; where there is none, an empty dictionary, and drop the key."""
        self.accessed = True
        key, record = self._session_key, None
        if key is not None:
            storage = self._storage
            record = await mode(storage.read, storage.aread, key)
        if key is None or record is None:
            self._session_key = None
            return {}
        if record.forward is not None:
            self._note_forward(key, record)
            self._session_key = None
            return {}
        data = self._decoded(record) or {}
        if await self._is_over(mode, record, data):
            self._session_key = None
            return {}
        return self._came_from(key, record, data)

    # Creating and saving

    @operation
    async def create(self, mode: Mode) -> None:
        """Store this session under a new key.

        Raises SessionEncodeError for a value that cannot be stored, RuntimeError if the storage
        refuses each new key, and ValueError if a subclass makes one that cannot be a key.
        """
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

    @operation
    async def save(self, mode: Mode, must_create: bool = False) -> None:
        """Store the data: under a new key with ``must_create``, else over what is there.

        Raises CreateError if the new key is taken, UpdateError if nothing is there any more,
        SessionEncodeError for a value that cannot be stored, and SessionConflict if others changed
        the session during each attempt.
        """
        if self._session_key is None:
            self._refuse_refused_key(must_create)
            await mode(self.create, self.acreate)
            return
        data = await mode(self._get_session, self._aget_session, no_load=must_create)
        key = self._session_key
        if key is None:
            raise UpdateError("There is no session under this key; it may have expired.")
        if not must_create:
            await self._save_over(mode, key, data)
            if not self.modified:
                await events.renewed(mode, self, self._session_key or key)
            return
        if not await self._save_new(mode, key, data):
            raise CreateError("The session key is taken.")
        if not self._is_changing_key:
            await events.started(mode, self, key)

    def _refuse_refused_key(self, must_create: bool) -> None:
        if must_create and self._refused_key is not None:
            why = _keys.why_refused(self._refused_key, is_custom=self._makes_own_keys())
            raise InvalidSessionKey(why)

    # Ending

    @operation
    async def delete(self, mode: Mode, session_key: str | None = None) -> None:
        """Remove the session under ``session_key``, its own by default."""
        key = self._session_key if session_key is None else session_key
        if key is not None and self._validate_session_key(key):
            removed = await mode(self._storage.remove, self._storage.aremove, key)
            if removed and not self._is_changing_key:
                await events.ended(mode, self, key, self._end_reason)

    def _deletes_its_own_way(self) -> bool:
        ours = StoredSession.delete, StoredSession.adelete
        return (type(self).delete, type(self).adelete) != ours

    @classmethod
    @in_thread
    def clear_expired(cls) -> None:
        """Remove the sessions that have expired; does nothing where the storage does it."""
        for batch in cls._start_purge(timezone.now()).batches():
            sleep(batch.pause)

    @classmethod
    def _start_purge(cls, now: datetime) -> Purge:
        """Return a run over the sessions that had expired at ``now``."""
        return cls().get_storage().start_purge(now)
