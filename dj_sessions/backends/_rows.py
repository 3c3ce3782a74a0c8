"""The rows of a model through the ORM, which does all that the model has of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Model, QuerySet

from dj_sessions.backends._record import Record
from dj_sessions.backends._transactions import savepoint
from dj_sessions.backends._watched import (
    columns,
    delete_is_watched,
    goes_alone,
    save_is_watched,
)


@dataclass(frozen=True, slots=True)
class RowRecord(Record):
    """A record with the model instance that is its row."""

    instance: Any = None


def loaded_from(row: Any) -> RowRecord | None:
    """Return the record of a row, None of none."""
    return RowRecord(row.session_data, row.expire_date, row) if row else None


class Rows:
    """The rows of a model in one database."""

    __slots__ = ("_connection", "_model", "_using")

    def __init__(self, model: type[Model], connection: BaseDatabaseWrapper) -> None:
        self._model: Any = model
        self._connection = connection
        self._using = connection.alias

    def instance(self, key: str | None, now: datetime, *, lock: bool = False) -> Any:
        """Return the row of a live session, or None; with ``lock``, as the last save left it."""
        live = self._model.objects.using(self._using).filter(expire_date__gt=now)
        if lock:
            live = live.select_for_update()
        try:
            return live.get(session_key=key)
        except self._model.DoesNotExist:
            return None

    def find(self, key: str, now: datetime, *, lock: bool = False) -> RowRecord | None:
        """Return what a live session has, or None; with ``lock``, as the last save left it."""
        return loaded_from(self.instance(key, now, lock=lock))

    def find_whole(self, key: str, now: datetime, *, lock: bool = False) -> RowRecord | None:
        """Return the same, with the expiry in any case: reading a date takes its time."""
        return self.find(key, now, lock=lock)

    def is_taken(self, key: str) -> bool:
        """Tell whether there is a row, also one that the model's manager hides."""
        return self._rows(key).exists()

    def insert(self, instance: Any) -> None:
        """Insert a row; raises IntegrityError, also if its key is taken."""
        with savepoint(self._connection):
            instance.save(force_insert=True, using=self._using)

    def replace(self, key: str, instance: Any, expected: str | None, now: datetime) -> bool:
        """Update the row that has the payload ``expected``; tell whether there was one.

        With None: whatever it has, if its session is live at ``now``.
        """
        stored = self._rows(key)
        if expected is None:
            stored = stored.filter(expire_date__gt=now)
        else:
            stored = stored.filter(session_data=expected)
        if not save_is_watched(self._model):
            with savepoint(self._connection):
                return stored.update(**columns(instance)) > 0
        with transaction.atomic(using=self._using):
            # An update that changes nothing compares and locks on every database.
            found = stored.update(expire_date=F("expire_date")) > 0
            if found:
                instance.save(force_update=True, using=self._using)
            return found

    def remove(self, key: str) -> bool:
        """Delete the row and all that goes along; tell whether there was one."""
        watched = delete_is_watched(self._model)
        if watched or not goes_alone(self._model):
            return self._remove_with_all_that_goes_along(key, stored=watched)
        with savepoint(self._connection):
            return bool(self._rows(key)._raw_delete(self._using))

    def _remove_with_all_that_goes_along(self, key: str, *, stored: bool) -> bool:
        """Delete the row as the ORM does; with ``stored``, as somebody will see what it held."""
        with savepoint(self._connection):
            found = self._model.objects.using(self._using).filter(session_key=key)
            row = found.first() if stored else self._model(session_key=key)
            if row is None:
                return False
            row.is_ended_by_its_store = True
            return bool(row.delete(using=self._using)[0])

    def _rows(self, key: str) -> QuerySet[Any]:
        return self._model._base_manager.using(self._using).filter(session_key=key)  # type: ignore[no-any-return]
