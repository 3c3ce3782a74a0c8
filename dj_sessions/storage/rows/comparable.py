"""Comparing what is stored for a session with what was loaded, where a database can."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any, Final

from django.db import connections
from django.db.models import CharField, QuerySet, TextField

from dj_sessions.storage.rows.watchers import Reason, own_loading

#: Databases whose SQL is known to fit, and where a long text can be compared with.
VENDORS: Final = ("sqlite", "postgresql", "mysql")

#: Fields that have nothing to prepare in a text.
TEXTS: Final = (CharField, TextField)

#: MySQL's CLIENT_FOUND_ROWS: an UPDATE counts the rows that it found, not those that it changed.
FOUND_ROWS: Final = 2


@cache
def keeps_payloads(model: Any, using: str, vendor: str) -> bool:
    """Return whether a payload is stored as it is loaded, so that the database can compare it."""
    return not any(incomparable(model, using, vendor))


def incomparable(model: Any, using: str, vendor: str) -> Iterator[Reason]:
    """Yield why the database cannot compare a payload with one that was loaded."""
    if vendor not in VENDORS:
        yield Reason("database", using)
    if type(field := model._meta.get_field("session_data")) not in TEXTS:
        yield Reason("field", field)
    yield from own_loading(model)
    if vendor == "mysql" and not _counts_found_rows(connections[using]):
        yield Reason("found rows", using)


def _counts_found_rows(connection: Any) -> bool:
    """Return whether MariaDB counts a row that an UPDATE leaves as it was."""
    flags = connection.get_connection_params().get("client_flag", FOUND_ROWS)
    return bool(flags & FOUND_ROWS)


def condition(expected: str | None, now: datetime) -> dict[str, object]:
    """Return what a row has to fulfil: the payload ``expected``, or with None a live session."""
    return {"expire_date__gt": now} if expected is None else {"session_data": expected}


def is_same(row: Any, expected: str | None, now: datetime) -> bool:
    """Return whether a row fulfils ``condition()``; None fulfils none."""
    if row is None:
        return False
    return bool(row.expire_date > now if expected is None else row.session_data == expected)


def update(rows: QuerySet[Any], **values: Any) -> int:
    """Send an UPDATE, as ``save()`` does: past the ``update()`` of a model's own query set."""
    return QuerySet.update(rows, **values)
