"""Calls about several rows at once: in one query, or in one transaction, which waits for the disk.

PostgreSQL changes them by one statement, other databases by one for each row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, cast

from django.db import DatabaseError, connections, transaction
from django.db.models import QuerySet

from dj_sessions._codec import forwards
from dj_sessions.storage.base import Record
from dj_sessions.storage.rows import ends
from dj_sessions.storage.rows.deletes import not_waiting
from dj_sessions.storage.rows.errors import may_pass
from dj_sessions.storage.rows.orm import Rows
from dj_sessions.storage.rows.prepared import PreparedRows
from dj_sessions.storage.rows.record import loaded_from
from dj_sessions.storage.rows.statements import Sent, Statements
from dj_sessions.storage.rows.transactions import is_inside


def read(rows: Rows, keys: Sequence[str], now: datetime) -> list[Record | None]:
    """Return what ``find_whole()`` does, of each key."""
    leads = list(map(forwards.name, keys))
    found = rows.live_or_forward([*keys, *leads], now)
    return [
        loaded_from(found.get(key) or found.get(lead))
        for key, lead in zip(keys, leads, strict=True)
    ]


def held(rows: QuerySet[Any], keys: Sequence[str]) -> list[bool]:
    """Return of each key whether there is a row, also one that has expired."""
    found = rows.filter(session_key__in=keys).values_list("session_key", flat=True)
    there = set(found)  # and not as MariaDB compares
    return [key in there for key in keys]


def write(
    rows: PreparedRows, statement: Callable[..., Sent | None], calls: Sequence[tuple[Any, ...]]
) -> list[bool] | None:
    """Send the statement of each call, the key first; return which of them found their rows.

    Return None, and nothing is changed, where they are not to be sent together: the ORM has to send
    them, somebody is told of each row, a payload is not known, or others hold one of the rows.
    """
    if ends.audiences or is_inside(connections[rows.using]) or any(None in call for call in calls):
        return None
    sent = [statement(*call) for call in calls]
    if None in sent:
        return None
    try:
        # Who waits for a row keeps others waiting for those that it has changed.
        with transaction.atomic(using=rows.using), not_waiting(connections[rows.using]):
            return _send(rows, [call[0] for call in calls], cast("list[Sent]", sent))
    except DatabaseError as error:
        if not may_pass(error):
            raise
        return None


def _send(rows: PreparedRows, keys: Sequence[str], sent: Sequence[Sent]) -> list[bool]:
    connection, statements = connections[rows.using], rows.statements
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            found = []
            for sql, parameters in sent:
                cursor.execute(sql, parameters)
                found.append(cursor.rowcount > 0)
            return found
        is_removal = sent[0].sql == statements.compare_and_delete
        sql = (_remove_all if is_removal else _replace_all)(statements, connection, len(sent))
        cursor.execute(sql, [value for each in sent for value in each.parameters])
        changed = {key for (key,) in cursor.fetchall()}
    return [key in changed for key in keys]


def _remove_all(of: Statements, connection: Any, count: int) -> str:
    listed = _listed([], count)
    return f"DELETE FROM {of.table} USING {listed} WHERE {_same(of)}"  # noqa: S608 # quoted names


def _replace_all(of: Statements, connection: Any, count: int) -> str:
    listed = _listed([field.db_type(connection) for field in of.changing], count)
    to = ", ".join(f"{of.column[each.name]} = v.c{n}" for n, each in enumerate(of.changing))
    return f"UPDATE {of.table} SET {to} FROM {listed} WHERE {_same(of)}"  # noqa: S608


def _listed(types: Sequence[str | None], count: int) -> str:
    """Return the parameters of ``count`` statements as a table, with the types of its columns."""
    # The first row says for all which types they have.
    first = ", ".join(f"CAST(%s AS {each})" for each in (*types, "text", "text"))
    others = f", ({', '.join(['%s'] * (len(types) + 2))})" * (count - 1)
    names = ", ".join((*(f"c{n}" for n in range(len(types))), "name", "expected"))
    return f"(VALUES ({first}){others}) AS v ({names})"


def _same(of: Statements) -> str:
    key, data = (f"{of.table}.{of.column[name]}" for name in ("session_key", "session_data"))
    return f"{key} = v.name AND {data} = v.expected RETURNING {key}"
