"""Sessions in the database.

https://docs.djangoproject.com/en/stable/topics/http/sessions/#using-database-backed-sessions
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, connections, router, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from dj_sessions._twins import Mode, driven, finish, in_sync, in_thread
from dj_sessions.backends._purge import Purge
from dj_sessions.backends._purge_rows import RowPurge
from dj_sessions.backends._rows import Rows, rows_of
from dj_sessions.backends._transactions import savepoint
from dj_sessions.backends._watched import (
    columns,
    delete_is_watched,
    goes_alone,
    save_is_watched,
)
from dj_sessions.backends.base import CreateError, SessionBase, UpdateError
from dj_sessions.backends.stored import Record, StoredSession

__all__ = ["CreateError", "SessionBase", "SessionStore", "UpdateError"]


@dataclass(frozen=True, slots=True)
class RowRecord(Record):
    """A record with the model instance that is its row."""

    instance: Any = None


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
        return next(filter(None, found), None)

    def _places_to_read(self) -> list[str]:
        return list(
            dict.fromkeys((router.db_for_read(self.model), router.db_for_write(self.model)))
        )

    def _find_instance(self, using: str, *, lock: bool = False) -> Any:
        live = self.model.objects.using(using).filter(expire_date__gt=timezone.now())
        if lock:
            live = live.select_for_update()
        try:
            return live.get(session_key=self._session_key)
        except self.model.DoesNotExist:
            return None

    _aget_session_from_db = in_thread(_get_session_from_db)

    # The storage verbs

    def _read(self, key: str) -> Record | None:
        return finish(self._read_row(in_sync, key))

    async def _read_row(self, mode: Mode, key: str) -> RowRecord | None:
        if self._finds_rows_its_own_way():
            return _loaded_from(await mode(self._get_session_from_db, self._aget_session_from_db))
        return self._find(key) if mode is in_sync else await self._afind(key)

    def _find(self, key: str) -> RowRecord | None:
        found = (self._find_in(using, key) for using in self._places_to_read())
        return next(filter(None, found), None)

    def _find_in(self, using: str, key: str, *, lock: bool = False) -> RowRecord | None:
        rows = rows_of(self.model, using)
        if rows is None:
            return _loaded_from(self._find_instance(using, lock=lock))
        return self._found(rows, key, lock)

    def _found(self, rows: Rows, key: str, lock: bool) -> RowRecord | None:
        payload = rows.find(key, timezone.now(), lock=lock)
        return None if payload is None else RowRecord(payload)

    def _read_latest(self, key: str) -> Record | None:
        return finish(self._read_written_row(in_sync, key))

    async def _read_written_row(
        self, mode: Mode, key: str, *, lock: bool = True
    ) -> RowRecord | None:
        """Read the row as it is now, and not as a replica or an old snapshot shows it."""
        if self._finds_rows_its_own_way():
            return _loaded_from(await mode(self._get_session_from_db, self._aget_session_from_db))
        return await mode(self._find_written, self._afind_written, key, lock=lock)

    def _finds_rows_its_own_way(self) -> bool:
        ours = SessionStore._get_session_from_db, SessionStore._aget_session_from_db
        return (type(self)._get_session_from_db, type(self)._aget_session_from_db) != ours

    def _find_written(self, key: str, *, lock: bool) -> RowRecord | None:
        using = router.db_for_write(self.model)
        return self._find_in(using, key, lock=lock and connections[using].in_atomic_block)

    _aread = driven(_read, _read_row)
    _aread_latest = driven(_read_latest, _read_written_row)
    _afind = in_thread(_find)
    _afind_written = in_thread(_find_written)

    def _record(self, data: dict[str, Any]) -> Record:
        return finish(self._row_record(in_sync, data))

    async def _row_record(self, mode: Mode, data: dict[str, Any]) -> RowRecord:
        if mode is in_sync:
            row = self.create_model_instance(data)
        else:
            row = await self.acreate_model_instance(data)
        return RowRecord(row.session_data, row.expire_date, row)

    _arecord = driven(_record, _row_record)

    def _holds(self, key: str) -> bool:
        return bool(self.model.objects.filter(session_key=key).exists())

    def _insert(self, key: str, record: RowRecord) -> bool:
        using = router.db_for_write(self.model, instance=record.instance)
        rows = None if save_is_watched(self.model) else rows_of(self.model, using)
        try:
            if rows is not None:
                rows.insert(record.instance)
            else:
                with savepoint(connections[using]):
                    record.instance.save(force_insert=True, using=using)
        except IntegrityError:
            if self._queryset(using, key).exists():
                return False
            raise
        return True

    def _replace(self, key: str, record: RowRecord, expected: Record | None) -> bool:
        using = router.db_for_write(self.model, instance=record.instance)
        watched = save_is_watched(self.model)
        rows = None if watched else rows_of(self.model, using)
        if rows is not None:
            if expected is None:
                return rows.replace_live(key, record.instance, timezone.now())
            return rows.replace(key, record.instance, expected.payload)
        stored = self._queryset(using, key)
        if expected is None:  # what has expired is not brought back
            stored = stored.filter(expire_date__gt=timezone.now())
        else:
            stored = stored.filter(session_data=expected.payload)
        if not watched:
            with savepoint(connections[using]):
                return stored.update(**columns(record.instance)) > 0
        with transaction.atomic(using=using):
            # An update that changes nothing compares and locks on every database.
            found = stored.update(expire_date=F("expire_date")) > 0
            if found:
                record.instance.save(force_update=True, using=using)
            return found

    def _remove(self, key: str) -> bool:
        using = router.db_for_write(self.model)
        watched = delete_is_watched(self.model)
        if watched or not goes_alone(self.model):
            return self._remove_with_all_that_goes_along(using, key, stored=watched)
        rows = rows_of(self.model, using)
        if rows is not None:
            return rows.remove(key)
        with savepoint(connections[using]):
            return bool(self._queryset(using, key)._raw_delete(using))

    def _remove_with_all_that_goes_along(self, using: str, key: str, *, stored: bool) -> bool:
        """Delete the row as the ORM does; with ``stored``, as somebody will see what it held."""
        with savepoint(connections[using]):
            found = self.model.objects.using(using).filter(session_key=key)
            row = found.first() if stored else self.model(session_key=key)
            if row is None:
                return False
            row.is_ended_by_its_store = True
            return bool(row.delete(using=using)[0])

    @classmethod
    def _purge(cls, now: datetime, batch: int) -> int:
        return sum(done.removed for done in cls._start_purge(now).batches(batch, limit=batch))

    @classmethod
    def _start_purge(cls, now: datetime) -> Purge:
        model = cls.get_model_class()
        rows = model.objects.using(router.db_for_write(model))
        return RowPurge(rows.all(), now, delete_is_watched(model))

    def _queryset(self, using: str, key: str) -> QuerySet[Any]:
        return self.model._base_manager.using(using).filter(session_key=key)  # type: ignore[no-any-return]


def _loaded_from(row: Any) -> RowRecord | None:
    return RowRecord(row.session_data, row.expire_date, row) if row else None
