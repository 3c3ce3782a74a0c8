"""What a statement failed for: others' transactions, or something that stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from django.db import DatabaseError, IntegrityError

T = TypeVar("T")

#: PostgreSQL: serialization failure, deadlock, lock not available.
_SQLSTATES: Final = {"40001", "40P01", "55P03"}
#: MariaDB and MySQL: record has changed, lock wait timeout, deadlock.
_ERROR_NUMBERS: Final = {1020, 1205, 1213}
_LOCK_WAIT_TIMEOUT: Final = 1205
_SERIALIZATION_FAILURE: Final = "40001"
_CHANGED_MEANWHILE: Final = {1020, 1213}
#: SQLite, with a write-ahead log: what was read before the write is not the latest any more.
_READ_BEFORE: Final = "SQLITE_BUSY_SNAPSHOT"
_SQLITE_ERRORS: Final = ("SQLITE_BUSY", "SQLITE_LOCKED")


def may_pass(error: DatabaseError) -> bool:
    """Return whether others' transactions made it fail, so that it may work the next time."""
    cause = error.__cause__
    sqlite = getattr(cause, "sqlite_errorname", None) or ""
    return (
        getattr(cause, "sqlstate", None) in _SQLSTATES  # psycopg
        or getattr(cause, "pgcode", None) in _SQLSTATES  # psycopg2
        or error.args[:1] in [(number,) for number in _ERROR_NUMBERS]
        or sqlite.startswith(_SQLITE_ERRORS)
    )


def is_write_conflict(error: DatabaseError) -> bool:
    """Return whether a transaction failed as another one has changed the same row."""
    cause = error.__cause__
    return (
        getattr(cause, "sqlstate", None) == _SERIALIZATION_FAILURE
        or getattr(cause, "pgcode", None) == _SERIALIZATION_FAILURE
        or error.args[:1] in [(number,) for number in _CHANGED_MEANWHILE]
        or getattr(cause, "sqlite_errorname", None) == _READ_BEFORE
    )


def is_held(error: DatabaseError) -> bool:
    """Return whether MariaDB did not wait for a row that others hold."""
    return error.args[:1] == (_LOCK_WAIT_TIMEOUT,)


def unless_taken(write: Callable[[], T], is_taken: Callable[[], bool], tries: int = 2) -> T | None:
    """Return what ``write`` returns, None where its key is taken.

    Raises IntegrityError where the database refuses the row for something else. A key that was
    taken may be free by now, as that of a session which has just ended: so it writes once more.
    """
    try:
        return write()
    except IntegrityError:
        if is_taken():
            return None
        if tries == 1:
            raise
    return unless_taken(write, is_taken, tries - 1)
