"""Sessions in the database.

https://docs.djangoproject.com/en/stable/topics/http/sessions/#using-database-backed-sessions
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any, Final

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.db import DatabaseError, IntegrityError, OperationalError, connections, router
from django.utils import timezone

from dj_sessions._codec import forwards
from dj_sessions._session.modes import Mode, finish, in_sync
from dj_sessions._session.twins import driven, in_thread
from dj_sessions.backends.base import CreateError, SessionBase, UpdateError
from dj_sessions.backends.stored import Record, StoredSession
from dj_sessions.storage.clearing import Purge
from dj_sessions.storage.rows import ends
from dj_sessions.storage.rows.clearing import RowPurge
from dj_sessions.storage.rows.orm import RowRecord, Rows, loaded_from, manager_of, named
from dj_sessions.storage.rows.prepared import reasons, rows_of
from dj_sessions.storage.rows.transactions import commit_of, is_inside
from dj_sessions.storage.rows.watchers import Reason, delete_is_watched

__all__ = [
    "CreateError",
    "DatabaseError",
    "SessionBase",
    "SessionStore",
    "SuspiciousOperation",
    "UpdateError",
]

#: Each failed attempt means that somebody else's save succeeded, so a few may follow each other.
REMOVE_ATTEMPTS: Final = 16


class SessionStore(StoredSession):
    """Sessions as rows of a model; a subclass may bring its own model and columns.

    https://docs.djangoproject.com/en/stable/topics/http/sessions/#extending-database-backed-session-engines
    """

    @classmethod
    def get_model_class(cls) -> Any:
        """Return the model: whichever is installed as ``sessions.Session``.

        Raises ImproperlyConfigured if none is.
        """
        try:
            return apps.get_model("sessions", "Session")
        except LookupError as error:
            raise ImproperlyConfigured(
                f"{cls.__module__}.{cls.__qualname__} keeps sessions in the database, but no app "
                "has the model sessions.Session. Add 'dj_sessions' to INSTALLED_APPS and run "
                "'manage.py migrate', or override get_model_class()."
            ) from error

    _found_model: Any = None

    @property
    def model(self) -> Any:
        """The model of ``get_model_class()``."""
        if self._found_model is None:
            self._found_model = self.get_model_class()
        return self._found_model

    @model.setter
    def model(self, value: Any) -> None:
        self._found_model = value

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        """Return the row for ``data``, to be stored; override it to fill further columns."""
        return finish(self._model_instance(in_sync, data))

    async def _model_instance(self, mode: Mode, data: dict[str, Any]) -> Any:
        if mode is in_sync:
            key, ends = self._get_or_create_session_key(), self.get_expiry_date()
        else:
            key, ends = await self._aget_or_create_session_key(), await self.aget_expiry_date()
        return self.model(session_key=key, session_data=self.encode(data), expire_date=ends)

    acreate_model_instance = driven(create_model_instance, _model_instance)

    def _get_session_from_db(self) -> Any:
        """Return the row of this session, or None if it is unknown or has expired.

        Where it is overridden it is what sessions are read with. A replica may lag: what it does
        not know is looked up where sessions are written.
        """
        found = map(self._find_instance, self._places_to_read())
        row = next(filter(None, found), None)
        if row is None:
            self._session_key = None  # also for an override that takes it for granted, and fails
        return row

    def _places_to_read(self) -> Iterator[str]:
        read = router.db_for_read(self.model)
        yield read
        # A router may take the question for a write, and so is asked only after a miss.
        written = router.db_for_write(self.model)
        if written != read:
            yield written

    def _find_instance(self, using: str) -> Any:
        return rows_of(self.model, using).instance(self._session_key, timezone.now())

    _aget_session_from_db = in_thread(_get_session_from_db)

    # The storage verbs

    def _read(self, key: str) -> Record | None:
        return finish(self._read_row(in_sync, key))

    async def _read_row(self, mode: Mode, key: str) -> RowRecord | None:
        if self._finds_rows_its_own_way():
            return loaded_from(await mode(self._get_session_from_db, self._aget_session_from_db))
        return self._find(key) if mode is in_sync else await self._afind(key)

    def _find(self, key: str) -> RowRecord | None:
        found = (self._find_in(using, key) for using in self._places_to_read())
        return next(filter(None, found), None)

    def _find_in(self, using: str, key: str, *, lock: bool = False) -> RowRecord | None:
        return self._found(rows_of(self.model, using), key, lock)

    def _found(self, rows: Rows, key: str, lock: bool) -> RowRecord | None:
        return rows.find(key, timezone.now(), lock=lock)

    def _read_latest(self, key: str) -> Record | None:
        return finish(self._read_written_row(in_sync, key))

    async def _read_written_row(
        self, mode: Mode, key: str, *, lock: bool = True
    ) -> RowRecord | None:
        """Read the row as it is now, and not as a replica or an old snapshot shows it."""
        if self._finds_rows_its_own_way() and key == self._session_key:
            row = await mode(self._get_session_from_db, self._aget_session_from_db)
            if row is None:
                return await mode(self._find_forward, self._afind_forward, key)
            if not lock:
                return loaded_from(row)
            return await mode(self._past_snapshot, self._apast_snapshot, key, loaded_from(row))
        return await mode(self._find_written, self._afind_written, key, lock=lock)

    def _finds_rows_its_own_way(self) -> bool:
        ours = SessionStore._get_session_from_db, SessionStore._aget_session_from_db
        return (type(self)._get_session_from_db, type(self)._aget_session_from_db) != ours

    def _find_written(self, key: str, *, lock: bool) -> RowRecord | None:
        using = router.db_for_write(self.model)
        return self._find_in(using, key, lock=lock and is_inside(connections[using]))

    def _past_snapshot(self, key: str, found: RowRecord | None) -> RowRecord | None:
        """Return what was found; inside a transaction, which may show an old row, read anew."""
        using = router.db_for_write(self.model)
        return self._find_in(using, key, lock=True) if is_inside(connections[using]) else found

    def _find_forward(self, key: str) -> RowRecord | None:
        found = self._find_written(key, lock=False)
        return found if found is not None and forwards.is_forward_text(found.payload) else None

    _aread = driven(_read, _read_row)
    _aread_latest = driven(_read_latest, _read_written_row)
    _afind = in_thread(_find)
    _afind_written = in_thread(_find_written)
    _apast_snapshot = in_thread(_past_snapshot)
    _afind_forward = in_thread(_find_forward)

    def _record(self, data: dict[str, Any]) -> Record:
        return finish(self._row_record(in_sync, data))

    async def _row_record(self, mode: Mode, data: dict[str, Any]) -> RowRecord:
        if mode is in_sync:
            row = self.create_model_instance(data)
        else:
            row = await self.acreate_model_instance(data)
        return RowRecord(row.session_data, row.expire_date, instance=row)

    _arecord = driven(_record, _row_record)

    def _holds(self, key: str) -> bool:
        return named(manager_of(self.model).all(), key).exists()

    def _insert(self, key: str, record: RowRecord) -> bool:
        rows = self._rows_to_write(record.instance)
        try:
            rows.insert(record.instance)
        except IntegrityError:
            if rows.is_taken(key):
                return False
            raise
        return True

    #: Whether a save is told to the stores that keep copies.
    _tells_of_saves = True

    def _replace(self, key: str, record: RowRecord, expected: Record | None) -> bool:
        if self._tells_of_saves:
            ends.tell(self.model, key, by=type(self))
        payload = None if expected is None else expected.payload
        rows = self._rows_to_write(record.instance)
        change = partial(rows.replace, key, record.instance, payload, timezone.now())
        if not rows.is_done(change):
            return False
        self._commit = commit_of(rows.using)
        return True

    def _may_wait(self) -> bool:
        return not is_inside(connections[router.db_for_write(self.model)])

    def _rows_to_write(self, instance: Any) -> Rows:
        return rows_of(self.model, router.db_for_write(self.model, instance=instance))

    def _remove(self, key: str) -> bool:
        ends.tell(self.model, key, by=type(self))
        rows = rows_of(self.model, router.db_for_write(self.model))
        remove = partial(rows.remove, key, own_key=self._makes_own_keys())
        for _ in range(REMOVE_ATTEMPTS - 1):
            try:
                return remove()
            except OperationalError as error:
                if not rows.was_overtaken(error):
                    raise
        return remove()

    def _take(self, key: str, expected: Record | None) -> bool:
        if expected is None:
            return self._remove(key)
        ends.tell(self.model, key, by=type(self))
        rows = rows_of(self.model, router.db_for_write(self.model))
        return rows.is_done(partial(rows.take, key, expected.payload, timezone.now()))

    def _move(self, key: str, expected: Record | None, forward: str) -> bool:
        rows = rows_of(self.model, router.db_for_write(self.model))
        if not rows.keeps_forwards():
            return self._take(key, expected)
        ends.tell(self.model, key, by=type(self))
        payload = None if expected is None else expected.payload
        return rows.is_done(partial(rows.move, key, payload, forward, timezone.now()))

    @classmethod
    def _orm_reasons(cls, model: Any) -> Iterator[tuple[str, Reason]]:
        """Yield why rows go through the ORM, each with what is done to them."""
        return reasons(model, router.db_for_write(model))

    @classmethod
    def _purge(cls, now: datetime, batch: int) -> int:
        return sum(done.removed for done in cls._start_purge(now).batches(batch, limit=batch))

    @classmethod
    def _start_purge(cls, now: datetime) -> Purge:
        model = cls.get_model_class()
        from dj_sessions.base_session import BaseSessionManager, without_forwards

        manager = manager_of(model)
        rows = manager.using(router.db_for_write(model)).all()
        if not isinstance(manager, BaseSessionManager):
            rows = without_forwards(rows)
        return RowPurge(rows, now, delete_is_watched(model))
