"""A DELETE alone, and one that does not wait for rows that others hold."""

from __future__ import annotations

from typing import Any, Final

from django.db import connections, transaction
from django.db.models import QuerySet

#: Milliseconds that PostgreSQL waits for a row that others hold, before it is left out.
LOCK_WAIT: Final = 20


def delete_bare(rows: QuerySet[Any]) -> int:
    """Send the DELETE alone; the ORM's looks for relations first and adds a transaction."""
    return rows._raw_delete(rows.db)


def delete_at_once(rows: QuerySet[Any]) -> int:
    """Delete ``rows``; raises DatabaseError at once if others hold one of them."""
    connection = connections[rows.db]
    if connection.vendor == "postgresql":
        with transaction.atomic(using=rows.db), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {LOCK_WAIT}")
            return delete_bare(rows)
    with connection.execute_wrapper(without_waiting):
        return delete_bare(rows)


def without_waiting(execute: Any, sql: str, *rest: Any) -> Any:
    """Send a statement that MariaDB gives up at once if others hold a row of it."""
    # Nor is a long list to become a subquery, which would have the rows read in another way.
    settings = "innodb_lock_wait_timeout=0, in_predicate_conversion_threshold=0"
    return execute(f"SET STATEMENT {settings} FOR {sql}", *rest)
