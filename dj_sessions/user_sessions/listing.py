"""The sessions of a user that live: what the list names, and the store has."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from importlib import import_module
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q, QuerySet
from django.utils import timezone

from dj_sessions.conf import conf
from dj_sessions.signals import EndReason
from dj_sessions.user_sessions import table, writing

#: For so long after its row was written a session may not be stored yet.
GRACE: Final = timedelta(seconds=60)
#: Rows that one statement takes from the list.
BATCH: Final = 500


def sessions_of(user: Any) -> QuerySet[Any]:
    """Return the sessions of ``user`` that live, the newest login first.

    Each is looked up in its store, once, now; rows of those that are gone are removed. ``user`` is
    a user, a primary key or a queryset of users. Raises what the store raises in an outage.
    """
    alive, gone = alive_and_gone(rows_of(user))
    leave_out(gone)
    live: QuerySet[Any] = table.rows().filter(pk__in=[row.pk for row in alive], ended=None)
    return live


async def asessions_of(user: Any) -> QuerySet[Any]:
    """``sessions_of()``."""
    return await sync_to_async(sessions_of)(user)


def rows_of(users: Any) -> QuerySet[Any]:
    """Return the rows of sessions that nobody has ended, as they are written."""
    rows: QuerySet[Any] = table.rows().live()
    if not isinstance(users, QuerySet):
        return rows.filter(user=users)
    if users.db != rows.db:  # no database asks another one
        return rows.filter(user__in=list(users.values_list("pk", flat=True)))
    return rows.filter(user__in=users)


def alive_among(rows: Iterable[Any]) -> list[Any]:
    """Return those of ``rows`` whose session is stored, by the present engine or by its own."""
    return alive_and_gone(rows)[0]


def alive_and_gone(rows: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """Return those of ``rows`` whose session is stored, and the others."""
    left, alive = list(rows), set[int]()
    for engine in dict.fromkeys([conf.SESSION_ENGINE, *(row.engine for row in left)]):
        mine = [row for row in left if row.pk not in alive and engine in engines_of(row)]
        store = store_of(engine)
        if mine and store is not None:
            owners = store.owners_among([row.stored_key for row in mine])
            alive |= {row.pk for row in mine if _is_of(owners.get(row.stored_key), row)}
    gone = [row for row in left if row.pk not in alive]
    return [row for row in left if row.pk in alive], gone


def lives(row: Any) -> bool:
    """Return whether the session of a row, or of an entry that is to be one, is stored.

    In an outage of the store nobody knows, and it is not taken for one that is.
    """
    with suppress(Exception):
        return _is_of(_owner_under_name_of(row), row)
    return False


def is_of_another(row: Any) -> bool:
    """Return whether the session of another user is stored under the name in ``row``."""
    owner = _owner_under_name_of(row)
    return owner is not None and not _is_of(owner, row)


def _owner_under_name_of(row: Any) -> str | None:
    for store in filter(None, map(store_of, engines_of(row))):
        owner: str | None = store.owners_among([row.stored_key]).get(row.stored_key)
        if owner is not None:
            return owner
    return None


def _is_of(owner: str | None, row: Any) -> bool:
    return owner is not None and bool(table.as_user_id(owner) == row.user_id)


def engines_of(row: Any) -> tuple[str, ...]:
    """Return where the session of ``row`` may be: sessions move when SESSION_ENGINE changes.

    The present engine is first: it may move sessions, and knows of one that is on its way from the
    other, which would see its own half.
    """
    return tuple(dict.fromkeys((conf.SESSION_ENGINE, row.engine)))


def store_of(engine: str) -> Any:
    """Return the class that keeps the sessions of ``engine``; None if it can list none.

    Raises ImportError or AttributeError if the present engine cannot be loaded, as where a package
    is missing: its sessions live.
    """
    try:
        store = import_module(engine).SessionStore
        if engine != conf.SESSION_ENGINE:  # one of before, whose settings may be gone
            store().get_storage()
    except (ImportError, AttributeError, ImproperlyConfigured):
        if engine == conf.SESSION_ENGINE:
            raise
        return None
    return store if hasattr(store, "owners_among") else None


def is_recent(row: Any) -> bool:
    """Return whether the session of ``row`` may be about to be stored."""
    return bool(abs(timezone.now() - row.last_seen) < GRACE)


def leave_out(gone: Iterable[Any]) -> int:
    """Take rows from the list whose session is gone; return how many."""
    left_out, now = [row.pk for row in gone if not is_recent(row)], timezone.now()
    for start in range(0, len(left_out), BATCH):
        # One that was seen meanwhile lives, as where its user has come back to it.
        some = Q(pk__in=left_out[start : start + BATCH])
        unseen = Q(last_seen__lte=now - GRACE) | Q(last_seen__gte=now + GRACE)
        writing.end_all(some & unseen, EndReason.GONE)
    return len(left_out)
