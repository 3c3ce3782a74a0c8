"""The rows of a model by statements that are written once for each model and database.

The ORM builds each of its statements anew, which takes longer than the database needs for them.
It is still what is used where it can do more than these: see ``rows_of()``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from typing import Any

from django.db import connections
from django.db.models import Field, Model
from django.db.models.signals import post_init, pre_init

from dj_sessions._codec import forwards
from dj_sessions.storage.rows.comparable import TEXTS, incomparable
from dj_sessions.storage.rows.managers import finds_every_row, manager_of
from dj_sessions.storage.rows.orm import Rows
from dj_sessions.storage.rows.record import RowRecord
from dj_sessions.storage.rows.statements import CORE, Sent, Statements
from dj_sessions.storage.rows.transactions import breaking, savepoint
from dj_sessions.storage.rows.watchers import (
    Reason,
    companions,
    delete_watchers,
    load_watchers,
    save_watchers,
)


class PreparedRows(Rows):
    """The rows of a model, through the connection of this thread.

    Where a hook forces the ORM path, that statement is left to the ORM.
    """

    def __init__(self, statements: Statements, model: type[Model], using: str) -> None:
        super().__init__(model, using)
        self._sql = statements

    def find(self, key: str, now: datetime, *, lock: bool = False) -> RowRecord | None:
        row = self._fetch(self._sql.find, key, now, lock)
        return None if row is None else RowRecord(row[0], forward=forwards.found_in(row[0]))

    def find_whole(self, key: str, now: datetime, *, lock: bool = False) -> RowRecord | None:
        row = self._fetch(self._sql.find_whole, key, now, lock)
        if row is None:
            return None
        ends = self._datetime(row[1])
        return RowRecord(row[0], ends, forward=forwards.found_in(row[0]))

    def _datetime(self, value: Any) -> datetime:
        """Return the datetime that ``value``, read from the database, stands for."""
        connection, column = self._connection, self._sql.expiry
        for convert in connection.ops.get_db_converters(column):  # as USE_TZ says now
            value = convert(value, column, connection)
        return value  # type: ignore[no-any-return]

    def _fetch(self, sql: str, key: str, now: datetime, lock: bool) -> Any:
        connection = connections[self.using]
        with connection.cursor() as cursor:
            live = connection.ops.adapt_datetimefield_value(now)
            parameters = *self._sql.sought(key), live
            cursor.execute(sql + self._sql.lock if lock else sql, parameters)
            return cursor.fetchone()

    def insert(self, instance: Any) -> None:
        values = self._values(self._sql.fields, instance, adding=True)
        if values is None:
            super().insert(instance)
            return
        self._write(self._sql.insert, values)
        instance._state.adding, instance._state.db = False, self.using

    def replace(self, key: str, instance: Any, expected: str | None, now: datetime) -> bool:
        values = self._values(self._sql.changing, instance, adding=False)
        if values is None:
            return super().replace(key, instance, expected, now)
        named = self._sql.named(key)
        if expected is None:
            live = connections[self.using].ops.adapt_datetimefield_value(now)
            return self._write(self._sql.replace_live, (*values, *named, live))
        return self._write(self._sql.replace, (*values, *named, expected))

    def remove(self, key: str, *, own_key: bool = False) -> bool:
        if not self.goes_unseen():
            return super().remove(key, own_key=own_key)
        return self._delete_by(self._sql.remove, self._sql.named(key))

    def compare_and_delete(self, key: str, expected: str, now: datetime) -> bool:
        if not self.goes_unseen():
            return super().compare_and_delete(key, expected, now)
        return self._delete_by(self._sql.compare_and_delete, (*self._sql.named(key), expected))

    def move(self, key: str, expected: str | None, forward: str, now: datetime) -> bool:
        if expected is None or not self.goes_unseen():
            return super().move(key, expected, forward, now)
        ended = self._connection.ops.adapt_datetimefield_value(now)
        name = forwards.name(key)
        return self._write(self._sql.move, (name, forward, ended, *self._sql.named(key), expected))

    # What to send, to be sent beside others

    def replacement(self, key: str, instance: Any, expected: str) -> Sent | None:
        """Return what ``replace()`` sends; None where it leaves that to the ORM."""
        values = self._values(self._sql.changing, instance, adding=False)
        if values is None:
            return None
        return Sent(self._sql.replace, (*values, *self._sql.named(key), expected))

    def removal(self, key: str, expected: str) -> Sent | None:
        """Return what ``compare_and_delete()`` sends; None where it leaves that to the ORM."""
        if not self.goes_unseen():
            return None
        return Sent(self._sql.compare_and_delete, (*self._sql.named(key), expected))

    @property
    def statements(self) -> Statements:
        """Where the names are from that are in what is sent."""
        return self._sql

    def _write(self, sql: str, parameters: tuple[Any, ...]) -> bool:
        connection = connections[self.using]
        with savepoint(connection), connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return bool(cursor.rowcount > 0)

    def _delete_by(self, sql: str, parameters: tuple[Any, ...]) -> bool:
        connection = connections[self.using]
        with breaking(connection), connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return bool(cursor.rowcount > 0)

    def _values(
        self, fields: Iterable[Field[Any, Any]], instance: Model, *, adding: bool
    ) -> tuple[Any, ...] | None:
        """Return what ``instance.save()`` would send, or None if the ORM has to send it."""
        if save_watchers(self._model):
            return None
        connection, values = connections[self.using], []
        for field in fields:
            value: Any = field.pre_save(instance, adding)
            if type(value) is not str or type(field) not in TEXTS:  # which send it as it is
                if hasattr(value, "resolve_expression"):
                    return None
                value = field.get_db_prep_save(value, connection)
            values.append(value)
        return tuple(values)


def rows_of(model: type[Model], using: str) -> Rows:
    """Return the rows, by prepared statements or where these do not fit through the ORM.

    They do not where a database, a manager or a field may want something else.
    """
    plain, prepared = _rows(model, using, connections[using].vendor)
    if prepared is None or ((pre_init.receivers or post_init.receivers) and load_watchers(model)):
        return plain
    return prepared


@cache
def _rows(model: type[Model], using: str, vendor: str) -> tuple[Rows, PreparedRows | None]:
    plain = Rows(model, using)
    if any(_unfit(model, using, vendor)):
        return plain, None
    return plain, PreparedRows(Statements(model, connections[using]), model, using)


def _unfit(model: type[Model], using: str, vendor: str) -> Iterator[Reason]:
    """Yield why no statement can be prepared."""
    if model._meta.pk.name != "session_key":
        yield Reason("key", model._meta.pk)
    for field in model._meta.concrete_fields:
        if not _is_plain(field) or type(field) is not CORE.get(field.name, type(field)):
            yield Reason("field", field)
    for manager in (manager_of(model), model._base_manager):
        if not finds_every_row(manager):
            yield Reason("manager", manager)
    yield from incomparable(model, using, vendor)


def reasons(model: type[Model], using: str) -> Iterator[tuple[str, Reason]]:
    """Yield why the rows are not left to prepared statements, with what is not.

    These are what ``rows_of()`` and its rows decide by.
    """
    for reason in _unfit(model, using, connections[using].vendor):
        yield "kept", reason
    for reason in load_watchers(model):
        yield "kept", reason
    for reason in save_watchers(model):
        yield "saved", reason
    for watchers in (delete_watchers, companions):
        for reason in watchers(model):
            yield "ended", reason


def _is_plain(field: Field[Any, Any]) -> bool:
    """Return whether a column takes a value as the field prepares it, and gives none back."""
    return not (
        field.is_relation
        or field.generated
        or getattr(field, "db_returning", False)
        or field.has_db_default()
        or hasattr(field, "get_placeholder")
        or hasattr(field, "get_placeholder_sql")
    )
