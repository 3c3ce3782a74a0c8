"""``StoredSession``: a session that a storage keeps. All engines but ``signed_cookies`` use it.

An engine returns its storage from ``get_storage()``. The hooks that Django documents are here. The
storage reads, compares and writes: see ``dj_sessions.storage``.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from datetime import datetime
from time import sleep
from typing import Any, Final, Self

from django.utils import timezone
from django.utils.functional import cached_property

from dj_sessions import _keys
from dj_sessions._codec import payloads
from dj_sessions._key_forms import has_plain_keys, names_of
from dj_sessions._metrics.recording import engine_of, recorders
from dj_sessions._session import events
from dj_sessions._session.blocks import is_block
from dj_sessions._session.conversion import Conversion
from dj_sessions._session.counting import count_save
from dj_sessions._session.inventory import Inventory, inventory
from dj_sessions._session.key_changes import KeyChangingSession
from dj_sessions._session.limits import USER_ID
from dj_sessions._session.merge import ABSENT
from dj_sessions._session.modes import Mode
from dj_sessions._session.registries import registries
from dj_sessions._session.session import SessionBase
from dj_sessions._session.twins import in_thread, operation
from dj_sessions.backends._by_name import ByName
from dj_sessions.exceptions import CreateError, InvalidSessionKey, UpdateError
from dj_sessions.signals import RefusalReason
from dj_sessions.storage import Record, Storage
from dj_sessions.storage.clearing import Purge
from dj_sessions.storage.hashed import in_stored_form
from dj_sessions.storage.listing import all_entries
from dj_sessions.storage.measured import MeasuredStorage

__all__ = ["ABSENT", "Record", "Storage", "StoredSession"]

#: A second collision of 165 random bits is no coincidence: the store refuses everything.
CREATE_ATTEMPTS: Final = 4


class StoredSession(ByName, KeyChangingSession):
    """A session that a storage keeps: the lifecycle that Django documents."""

    #: Whether the key is a form of it already.
    _is_named = False
    engine_name = "stored"
    #: All I/O is the storage's.
    blocking = False

    def get_storage(self) -> Storage:
        """Return the storage of this session. Called once, when the storage is first needed."""
        kind = type(self)
        raise NotImplementedError(
            f"{kind.__module__}.{kind.__qualname__} must provide get_storage()"
        )

    @cached_property
    def _storage(self) -> Storage:  # type: ignore[override]
        storage = in_stored_form(self.get_storage())
        return MeasuredStorage(storage, engine_of(self)) if recorders else storage

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

    # The names under which the storage has it

    def _name_of(self, key: str) -> str:
        """Return the form of ``key`` under which the session is stored when it is next saved."""
        return key if self._is_named or has_plain_keys() else self._names_of(key)[0]

    def _names_of(self, key: str) -> tuple[str, ...]:
        """Return the forms of ``key`` under which it may be stored, the one to write first."""
        return (key,) if self._is_named else names_of(key)

    def _under(self, name: str) -> Self:
        """Return this session as hooks see it that the storage calls: under a stored form."""
        other = copy(self)
        other._SessionBase__session_key, other._is_named = name, True  # type: ignore[attr-defined]
        return other

    def _validate_session_key(self, key: object) -> bool:
        return super()._validate_session_key(key) and _keys.fits_every_store(str(key))

    # Records

    async def _make_record(self, mode: Mode, data: dict[str, Any]) -> Record:
        modified = timezone.now()
        expiry = await mode(self.get_expiry_date, self.aget_expiry_date, modification=modified)
        return Record(self.encode(data), expiry, modified)

    def _tells_when_saved(self) -> bool:
        return type(self).encode is SessionBase.encode

    def _decoded(self, record: Record) -> dict[str, Any] | None:
        data = record.data
        if data is not None:
            return data
        if type(self).decode is not SessionBase.decode:
            return self.decode(record.payload)
        serializer, salt, engine = self.serializer, self.key_salt, self.engine_name
        report = self._report_corruption
        return payloads.decode(record.payload, serializer, salt, report, engine=engine)

    # Reading

    @operation
    async def exists(self, mode: Mode, session_key: str) -> bool:
        """Return whether a session is stored under ``session_key``."""
        if session_key is None or not self._is_key(session_key):
            return False
        return await mode(self._storage.holds, self._storage.aholds, session_key)

    @operation
    async def load(self, mode: Mode) -> dict[str, Any]:
        """Return the stored data. If there is none, return an empty dictionary and drop the key."""
        self.accessed = True
        key, record = self._session_key, None
        if key is not None:
            storage = self._storage
            record = await mode(storage.read, storage.aread, key)
        if key is None or record is None:
            self._session_key = None
            if key is not None and not self._other_keys:  # else another one may have a session
                await events.key_refused(mode, self, key, RefusalReason.UNKNOWN)
            return {}
        if record.forward is not None:
            self._note_forward(key, record)
            self._session_key = None
            return {}
        data = self._decoded(record) or {}
        if is_block(data) or await self._is_over(mode, record, data):
            self._session_key = None
            return {}
        if registries:
            self._owner = data.get(USER_ID)
        self._keep_marks(data)
        return self._came_from(key, record, data)

    # Creating and saving

    @operation
    async def create(self, mode: Mode) -> None:
        """Store this session under a new key.

        Raises SessionEncodeError for a value that cannot be stored, RuntimeError if the storage
        refuses each new key, and ValueError if a subclass makes a key that is not allowed.
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
        """Store the data: as a new session with ``must_create``, else over the stored one.

        Raises CreateError if the new key is taken, UpdateError if the session is gone,
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
            if recorders:
                self._count_save("changed" if self.modified else "unchanged")
            if not self.modified:
                await events.renewed(mode, self, self._session_key or key)
            return
        if not await self._save_new(mode, key, data):
            raise CreateError("The session key is taken.")
        if recorders:
            self._count_save("new")
        if self._old_key is None:
            await events.started(mode, self, key)

    def _count_save(self, kind: str) -> None:
        record = None if self._baseline is None else self._baseline.latest
        count_save(self, kind, None if record is None else record.payload)

    def _refuse_refused_key(self, must_create: bool) -> None:
        if must_create and self._refused_key is not None:
            why = _keys.why_refused(self._refused_key, is_custom=self._makes_own_keys())
            raise InvalidSessionKey(why)

    # Ending

    @operation
    async def delete(self, mode: Mode, session_key: str | None = None) -> None:
        """Remove the session under ``session_key``, by default this session's own key."""
        key = self._session_key if session_key is None else session_key
        if key is not None and self._is_key(key):
            removed = await mode(self._storage.remove, self._storage.aremove, key)
            if removed and self._old_key is None:
                # Nobody knows whose another session was.
                ended = self if key == self._session_key else type(self)()
                await events.ended(mode, ended, key, self._end_reason)

    def _deletes_its_own_way(self) -> bool:
        ours = StoredSession.delete, StoredSession.adelete
        return (type(self).delete, type(self).adelete) != ours

    @classmethod
    @in_thread
    def clear_expired(cls) -> None:
        """Remove the expired sessions; do nothing if the store removes them itself."""
        for batch in cls._start_purge(timezone.now()).batches():
            sleep(batch.pause)

    @classmethod
    def _start_conversion(cls, *, is_dry: bool) -> Conversion:
        """Return a run that writes the stored sessions in the form that the settings ask for."""
        return Conversion(cls().get_storage(), cls, is_dry=is_dry)

    @classmethod
    def _inventory(cls, batch: int, after: str = "") -> Iterator[Inventory]:
        """Yield what is stored, up to ``batch`` sessions at a time; ``after`` begins behind a name.

        Raises NotImplementedError if the storage cannot list its sessions.
        """
        return inventory(all_entries(cls().get_storage(), batch, after), cls()._under)

    @classmethod
    def _start_purge(cls, now: datetime) -> Purge:
        """Return a run over the sessions that had expired at ``now``."""
        return cls().get_storage().start_purge(now)
