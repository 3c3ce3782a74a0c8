"""The statements that a session needs, as SQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, DateTimeField, Model, TextField

from dj_sessions._codec import forwards

#: The columns of every session, and the classes of fields that keep them as they are.
CORE: Final = {"session_key": CharField, "session_data": TextField, "expire_date": DateTimeField}


class Sent(NamedTuple):
    """A statement and its parameters."""

    sql: str
    parameters: tuple[Any, ...]


class Statements:
    """What is sent for the rows of a model in one database."""

    def __init__(self, model: type[Model], connection: BaseDatabaseWrapper) -> None:
        quote: Callable[[Any], str] = connection.ops.quote_name
        self.table = quote(model._meta.db_table)
        self.fields = model._meta.concrete_fields
        self.changing = [field for field in self.fields if not field.primary_key]
        self.column = {field.name: quote(field.column) for field in self.fields}
        self.lock = " FOR UPDATE" if connection.features.has_select_for_update else ""
        expiry: Any = model._meta.get_field("expire_date")
        self.expiry = expiry.get_col(model._meta.db_table)

        key, data, end = (self.column[name] for name in CORE)
        is_key, is_either, is_data = f"{key} = %s", f"{key} IN (%s, %s)", f"{data} = %s"
        if connection.vendor == "mysql":
            # Without BINARY texts are equal that differ in case, accents or spaces at the end. What
            # finds the row in the index is the comparison without it.
            is_key += f" AND {key} = BINARY %s"
            is_either += f" AND {key} IN (BINARY %s, BINARY %s)"
            is_data = f"{data} = BINARY %s"
        self.times = is_key.count("%s")
        self._compose_reading(is_either, data, end)
        self._compose_changing(is_key, is_data, f"{end} > %s")

    # No more than names of the model, quoted by the database's own rules, is put together.

    def _compose_reading(self, is_either: str, data: str, end: str) -> None:
        # A session under its key, or the forward that its key has left behind.
        found = f"{is_either} AND ({end} > %s OR {data} LIKE '{forwards.MARK}%%')"
        self.find = f"SELECT {data} FROM {self.table} WHERE {found}"  # noqa: S608
        self.find_whole = f"SELECT {data}, {end} FROM {self.table} WHERE {found}"  # noqa: S608

    def _compose_changing(self, is_key: str, is_data: str, is_live: str) -> None:
        table, column = self.table, self.column
        into, values = ", ".join(column.values()), ", ".join("%s" for _ in column)
        to = ", ".join(f"{quoted} = %s" for name, quoted in column.items() if name != "session_key")
        moved = ", ".join(f"{column[name]} = %s" for name in CORE)
        same = f"{is_key} AND {is_data}"
        self.insert = f"INSERT INTO {table} ({into}) VALUES ({values})"  # noqa: S608
        self.replace = f"UPDATE {table} SET {to} WHERE {same}"  # noqa: S608
        self.replace_live = f"UPDATE {table} SET {to} WHERE {is_key} AND {is_live}"  # noqa: S608
        self.remove = f"DELETE FROM {table} WHERE {is_key}"  # noqa: S608
        self.compare_and_delete = f"DELETE FROM {table} WHERE {same}"  # noqa: S608
        self.move = f"UPDATE {table} SET {moved} WHERE {same}"  # noqa: S608

    def sought(self, key: str) -> tuple[str, ...]:
        """Return the parameters for a key and for the forward that it may have left behind."""
        return (key, forwards.name(key)) * self.times

    def named(self, key: str) -> tuple[str, ...]:
        """Return the parameters that the statements take for a key."""
        return (key,) * self.times
