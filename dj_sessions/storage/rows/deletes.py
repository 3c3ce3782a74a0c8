"""A DELETE alone, and statements that do not wait for rows that others hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Final

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet

#: Milliseconds that PostgreSQL waits for a row that others hold, before it is left out.
LOCK_WAIT: Final = 20


def delete_bare(rows: QuerySet[Any]) -> int:
    """Send the DELETE alone; the ORM's looks for relations first and adds a transaction."""
    return rows._raw_delete(rows.db)


def delete_at_once(rows: QuerySet[Any]) -> int:
    """Delete ``rows``; raises DatabaseError at once if others hold one of them."""
    connection = connections[rows.db]
    # What PostgreSQL is told counts for a transaction.
    is_told = connection.vendor == "postgresql"
    with transaction.atomic(using=rows.db) if is_told else nullcontext(), not_waiting(connection):
        return delete_bare(rows)


@contextmanager
def not_waiting(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Have statements give up where others hold a row, on PostgreSQL until the transaction ends."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {LOCK_WAIT}")
        yield
    elif getattr(connection, "mysql_is_mariadb", False):
        with connection.execute_wrapper(_without_waiting):
            yield
    else:
        yield


def _without_waiting(execute: Any, sql: str, *rest: Any) -> Any:
    """Send a statement that MariaDB gives up at once if others hold a row of it."""
    # Nor is a long list to become a subquery, which would have the rows read in another way.
    settings = "innodb_lock_wait_timeout=0, in_predicate_conversion_threshold=0"
    return execute(f"SET STATEMENT {settings} FOR {sql}", *rest)
