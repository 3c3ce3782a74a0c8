"""Transactions that somebody else has opened around a session's statements."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

_NOTHING: Final = nullcontext()


def in_transaction(using: str) -> bool:
    """Tell whether a transaction is open, other than the one that a TestCase rolls back."""
    blocks: list[Any] = connections[using].atomic_blocks
    return any(not block._from_testcase for block in blocks)


def reads_committed_rows(using: str) -> bool:
    """Tell whether a row that is read is the one that everybody else sees."""
    connection = connections[using]
    if not in_transaction(using):
        return True
    level = getattr(connection, "isolation_level", None)
    return str(getattr(level, "name", level)).lower().replace("_", " ") == "read committed"


def savepoint(connection: BaseDatabaseWrapper) -> AbstractContextManager[Any]:
    """Return a savepoint inside somebody else's transaction; one statement needs no other."""
    return transaction.atomic(using=connection.alias) if connection.in_atomic_block else _NOTHING
