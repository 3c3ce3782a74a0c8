"""The test databases: one alone is open, they are emptied, and what they say of a deadlock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from django.apps import apps
from django.db import OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

WRITTEN_BY_MIGRATE = {"django_content_type", "auth_permission"}


@contextmanager
def only(alias: str) -> Iterator[None]:
    """Let no thread ask another database inside the block."""
    # Every cursor calls it, also on a connection that is open; pytest-django forbids by it too.
    connect = BaseDatabaseWrapper.ensure_connection

    def ensure_connection(self: BaseDatabaseWrapper) -> None:
        if self.alias != alias:
            raise AssertionError(
                f"the store of this test is on the database {alias!r}, and it asks {self.alias!r}:"
                " a test of several databases needs the fixture `databases`"
            )
        connect(self)

    with mock.patch.object(BaseDatabaseWrapper, "ensure_connection", ensure_connection):
        yield


def empty_tables(aliases: Iterable[str]) -> None:
    for connection in map(connections.__getitem__, aliases):
        # Asked first: most tests write to one database or none, and a deletion costs a commit.
        if tables := _written_tables(connection):
            with (
                connection.constraint_checks_disabled(),
                transaction.atomic(using=connection.alias),
                connection.cursor() as cursor,
            ):
                for table in tables:
                    cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")


def _written_tables(connection: Any) -> list[str]:
    # Every model anew each time, as tests install apps of their own.
    models = apps.get_models(include_auto_created=True)
    tables = {model._meta.db_table for model in models} - WRITTEN_BY_MIGRATE
    questions = (
        f"SELECT '{table}' FROM (SELECT 1 AS one) AS row_of_one"
        f" WHERE EXISTS (SELECT 1 FROM {connection.ops.quote_name(table)})"
        for table in sorted(tables)
    )
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(questions))
        return [table for (table,) in cursor.fetchall()]


def deadlock(alias: str) -> OperationalError:
    """Return the error of a deadlock, as Django wraps that of each driver."""
    if alias == "mariadb":
        return OperationalError(1213, "Deadlock found when trying to get lock")
    error = OperationalError("deadlock detected")
    cause: Any = Exception()
    if alias == "postgres":
        cause.sqlstate = "40P01"
    else:
        cause.sqlite_errorname = "SQLITE_BUSY"
    error.__cause__ = cause
    return error
