"""Sessions in the database.

https://docs.djangoproject.com/en/stable/topics/http/sessions/#using-database-backed-sessions
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, connections, router, transaction
from django.db.models import F, ForeignKey, ForeignObjectRel, Model, QuerySet, signals
from django.utils import timezone

from dj_sessions._twins import Mode, driven, finish, in_sync, in_thread
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

    @cached_property
    def model(self) -> Any:
        """The model of ``get_model_class()``."""
        return self.get_model_class()

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        """Return the row for ``data``, to be stored; override it to fill further columns."""
        return finish(self._model_instance(in_sync, data))

    async def _model_instance(self, mode: Mode, data: dict[str, Any]) -> Any:
        return self.model(
            session_key=await mode(
                self._get_or_create_session_key, self._aget_or_create_session_key
            ),
            session_data=self.encode(data),
            expire_date=await mode(self.get_expiry_date, self.aget_expiry_date),
        )

    acreate_model_instance = driven(create_model_instance, _model_instance)

    def _get_session_from_db(self) -> Any:
        """Return the row of this session, or None if it is unknown or has expired.

        A replica may lag: what it does not know is looked up where sessions are written.
        """
        reads, writes = router.db_for_read(self.model), router.db_for_write(self.model)
        row = self._find(reads)
        return self._find(writes) if row is None and reads != writes else row

    def _find(self, using: str) -> Any:
        live = self.model.objects.using(using).filter(expire_date__gt=timezone.now())
        try:
            return live.get(session_key=self._session_key)
        except self.model.DoesNotExist:
            return None

    _aget_session_from_db = in_thread(_get_session_from_db)

    # The storage verbs

    def _read(self, key: str) -> Record | None:
        return finish(self._read_row(in_sync, key))

    async def _read_row(self, mode: Mode, key: str) -> Record | None:
        row = await mode(self._get_session_from_db, self._aget_session_from_db)
        return RowRecord(row.session_data, row.expire_date, row) if row else None

    _aread = driven(_read, _read_row)

    def _record(self, data: dict[str, Any]) -> Record:
        return finish(self._row_record(in_sync, data))

    async def _row_record(self, mode: Mode, data: dict[str, Any]) -> RowRecord:
        row = await mode(self.create_model_instance, self.acreate_model_instance, data)
        return RowRecord(row.session_data, row.expire_date, row)

    _arecord = driven(_record, _row_record)

    def _holds(self, key: str) -> bool:
        return bool(self.model.objects.filter(session_key=key).exists())

    def _insert(self, key: str, record: RowRecord) -> bool:
        using = router.db_for_write(self.model, instance=record.instance)
        try:
            with _savepoint(using):
                record.instance.save(force_insert=True, using=using)
        except IntegrityError:
            if self._rows(using, key).exists():
                return False
            raise
        return True

    def _replace(self, key: str, record: RowRecord, expected: Record | None) -> bool:
        using = router.db_for_write(self.model, instance=record.instance)
        rows = self._rows(using, key)
        if expected is not None:
            rows = rows.filter(session_data=expected.payload)
        if not _save_is_watched(self.model):
            with _savepoint(using):
                return rows.update(**_columns(record.instance)) > 0
        with transaction.atomic(using=using):
            # An update that changes nothing compares and locks on every database.
            found = rows.update(expire_date=F("expire_date")) > 0
            if found:
                record.instance.save(force_update=True, using=using)
            return found

    def _remove(self, key: str) -> bool:
        using = router.db_for_write(self.model)
        with _savepoint(using):
            if _delete_is_watched(self.model):
                row = self.model.objects.using(using).filter(session_key=key).first()
                return row is not None and row.delete()[0] > 0
            return bool(self.model(session_key=key).delete(using=using)[0])

    @classmethod
    def _purge(cls, now: datetime, batch: int) -> int:
        model = cls.get_model_class()
        expired = model.objects.using(router.db_for_write(model)).filter(expire_date__lt=now)
        keys = list(expired.order_by("expire_date").values_list("session_key", flat=True)[:batch])
        expired.filter(session_key__in=keys).delete()
        return len(keys)

    def _rows(self, using: str, key: str) -> QuerySet[Any]:
        return self.model._base_manager.using(using).filter(session_key=key)  # type: ignore[no-any-return]


def _savepoint(using: str) -> AbstractContextManager[Any]:
    """Return a savepoint inside somebody else's transaction; one statement needs no other."""
    if connections[using].in_atomic_block:
        return transaction.atomic(using=using)
    return nullcontext()


def _columns(instance: Model) -> dict[str, Any]:
    """Return what ``instance.save()`` would write into the columns of an existing row."""
    return {
        field.name: field.pre_save(instance, False)
        for field in instance._meta.concrete_fields
        if not field.primary_key and not field.generated
    }


def _save_is_watched(model: type[Model]) -> bool:
    """Tell whether somebody must see ``save()``: an override, a receiver, a parent's table."""
    return (
        model.save is not Model.save
        or model.save_base is not Model.save_base
        or bool(model._meta.parents)
        or signals.pre_save.has_listeners(model)
        or signals.post_save.has_listeners(model)
    )


def _delete_is_watched(model: type[Model]) -> bool:
    """Tell whether somebody must see ``delete()`` with the row as it is stored."""
    return (
        model.delete is not Model.delete
        or model._meta.pk.name != "session_key"
        or any(not relation.field.target_field.primary_key for relation in _pointing_at(model))
        or signals.pre_delete.has_listeners(model)
        or signals.post_delete.has_listeners(model)
    )


def _pointing_at(model: type[Model]) -> Iterator[ForeignObjectRel]:
    """Yield the relations of other models to ``model``."""
    for relation in model._meta.related_objects:
        if isinstance(relation.field, ForeignKey):
            yield relation
