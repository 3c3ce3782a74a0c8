"""Transactions that somebody else has opened around a session's statements, and locks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet
from django.db.models.sql.constants import LOUTER

from dj_sessions.storage.base import Commit

_NOTHING: Final = nullcontext()


def is_inside(connection: BaseDatabaseWrapper) -> bool:
    """Return whether a transaction is open, be it the one that a TestCase rolls back."""
    # To ask a connection for its mode opens it; before that nothing has begun.
    return connection.in_atomic_block or (
        connection.connection is not None and not connection.autocommit
    )


def in_transaction(using: str) -> bool:
    """Return whether a transaction is open, other than the one that a TestCase rolls back."""
    connection = connections[using]
    if not connection.in_atomic_block:  # but it may be committed by hand
        return connection.connection is not None and not connection.autocommit
    blocks: list[Any] = connection.atomic_blocks
    return any(not block._from_testcase for block in blocks)


def after_commit(using: str, action: Callable[[], object]) -> None:
    """Call ``action`` when the transaction is committed.

    It is never called where a site commits by hand. Nor is it where a TestCase rolls back in the
    end: the callbacks that its tests capture are the site's own.
    """
    blocks: list[Any] = connections[using].atomic_blocks
    if blocks and not any(block._from_testcase for block in blocks):
        transaction.on_commit(action, using=using)


def commit_of(using: str) -> Commit | None:
    """Return what ``after_commit()`` calls for the open transaction; None if there is none.

    Of what a site commits by hand nobody would tell: it counts as committed.
    """
    if not connections[using].in_atomic_block or not in_transaction(using):
        return None
    commit = Commit()
    after_commit(using, commit)
    return commit


def reads_committed_rows(using: str) -> bool:
    """Return whether a row that is read is the one that everybody else sees."""
    connection = connections[using]
    if not in_transaction(using):
        return True
    level = getattr(connection, "isolation_level", None)
    return str(getattr(level, "name", level)).lower().replace("_", " ") == "read committed"


def savepoint(connection: BaseDatabaseWrapper) -> AbstractContextManager[Any]:
    """Return a savepoint inside somebody else's transaction; one statement needs no other."""
    return transaction.atomic(using=connection.alias) if is_inside(connection) else _NOTHING


def breaking(connection: BaseDatabaseWrapper) -> AbstractContextManager[Any]:
    """Return what has an error end somebody else's transaction, as that of a DELETE does."""
    if not is_inside(connection):
        return _NOTHING
    return transaction.mark_for_rollback_on_error(using=connection.alias)


def can_be_locked(rows: QuerySet[Any]) -> bool:
    """Return whether each row that is found is one of the table's, as ``FOR UPDATE`` wants it."""
    query: Any = rows.query
    return not (query.distinct or query.combinator or query.group_by is not None)


def has_outer_joins(rows: QuerySet[Any]) -> bool:
    """Return whether a manager joins rows that may be missing, which PostgreSQL cannot lock."""
    joins = rows.query.alias_map.values()
    return any(getattr(join, "join_type", None) == LOUTER for join in joins)


def is_of_one_table(rows: QuerySet[Any]) -> bool:
    """Return whether an UPDATE or DELETE of these rows takes no subquery."""
    return can_be_locked(rows) and rows.query.count_active_tables() == 1
