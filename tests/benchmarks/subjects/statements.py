"""The limits of the db engine: its statements alone, payload and all, without an engine.

`cursor`: through a cursor of Django's, which converts placeholders and counts queries. `driver`:
through the connection that the driver gave Django. Both are in autocommit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import cycle
from typing import Any
from uuid import uuid4

from django.db import connection

from tests.benchmarks.sampling import Calls
from tests.benchmarks.subjects.stores import stored_session

Execute = Callable[[str, Sequence[Any]], Any]

INSERT = "INSERT INTO django_session (session_key, session_data, expire_date) VALUES (%s, %s, %s)"
SELECT = (
    "SELECT session_key, session_data, expire_date FROM django_session "
    "WHERE session_key = %s AND expire_date > %s"
)
UPDATE = "UPDATE django_session SET session_data = %s, expire_date = %s WHERE session_key = %s"
DELETE = "DELETE FROM django_session WHERE session_key = %s"


def subject(name: str) -> Calls:
    """The subject `<cursor or driver> <operation>`."""
    way, operation = name.split(" ", 1)
    connection.ensure_connection()
    return OPERATIONS[operation]({"cursor": _through_django, "driver": _through_driver}[way])


def _through_django(sql: str, parameters: Sequence[Any]) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone() if cursor.description else None


def _through_driver(sql: str, parameters: Sequence[Any]) -> Any:
    cursor = connection.connection.cursor()
    cursor.execute(_own_marks(sql), parameters)
    row = cursor.fetchone() if cursor.description else None
    cursor.close()
    return row


def _own_marks(sql: str) -> str:
    return sql.replace("%s", "?") if connection.vendor == "sqlite" else sql


def _end(hours: int = 0) -> Any:
    end = datetime.now(UTC) + timedelta(days=14, hours=hours)
    return connection.ops.adapt_datetimefield_value(end)


def _payload() -> str:
    session = stored_session()
    return str(session.encode(dict(session.items())))


def _new_key() -> str:
    return uuid4().hex


def _select(execute: Execute) -> Calls:
    key = stored_session().session_key
    now = connection.ops.adapt_datetimefield_value(datetime.now(UTC))
    return Calls(lambda _: execute(SELECT, (key, now)))


def _insert(execute: Execute) -> Calls:
    payload, end = _payload(), _end()
    insert = partial(execute, INSERT)
    return Calls(lambda key: insert((key, payload, end)), make=_new_key, tidy=_remove)


def _update(execute: Execute) -> Calls:
    # In turn, as MariaDB has nothing to commit where nothing changes.
    payload, ends, key = _payload(), cycle((_end(0), _end(1))), stored_session().session_key
    return Calls(lambda _: execute(UPDATE, (payload, next(ends), key)))


def _select_and_update(execute: Execute) -> Calls:
    select, update = _select(execute), _update(execute)
    return Calls(lambda _: (select.call(None), update.call(None)))


def _delete(execute: Execute) -> Calls:
    def inserted() -> str:
        key = _new_key()
        _through_django(INSERT, (key, payload, end))
        return key

    payload, end = _payload(), _end()
    return Calls(lambda key: execute(DELETE, (key,)), make=inserted)


def _insert_and_delete(execute: Execute) -> Calls:
    insert, delete = _insert(execute), _delete(execute)

    def cycle(keys: tuple[str, str]) -> None:
        insert.call(keys[0])
        delete.call(keys[1])

    return Calls(
        cycle, make=lambda: (_new_key(), delete.make()), tidy=lambda keys: _remove(keys[0])
    )


def _remove(key: str) -> None:
    _through_django(DELETE, (key,))


OPERATIONS = {
    "create": _insert,
    "load": _select,
    "save": _update,
    "save after load": _select_and_update,
    "cycle_key": _insert_and_delete,
    "flush": _delete,
}
