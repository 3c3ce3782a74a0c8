"""Ending sessions of users, by their rows in the list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from time import monotonic
from typing import Any, Final, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

from dj_sessions.conf import conf
from dj_sessions.exceptions import UpdateError
from dj_sessions.signals import EndReason
from dj_sessions.user_sessions import listing, table, writing

T = TypeVar("T")
R = TypeVar("R")

#: Seconds that may pass with errors before one is raised: a store that is down takes long for each.
PATIENCE: Final = 2.0


def end_sessions(users: Any, keep: Any = None, reason: EndReason = EndReason.ENDED) -> int:
    """End the sessions of a user for good; return how many were ended.

    ``users`` is a user, a primary key, or a queryset of users. ``keep`` is a session that goes on,
    such as ``request.session``. A session that logs in meanwhile is ended, or is newer than this
    call. Raises what the store raises in an outage, when it has ended what it could; call it again
    then.
    """
    found = list(_as_committed(listing.rows_of(users)))
    present = _present_id(keep, found)
    kept = {_login_of(row) for row in found if row.public_id == present}
    ended, logins = 0, set[Any]()
    while rows := [row for row in found if _login_of(row) not in kept]:
        ended += end_rows(rows, reason)
        logins.update(map(_login_of, rows))
        # Under another key now, as that has changed meanwhile: each key ends once.
        seen = {row.pk for row in found}
        found = [
            row
            for row in _as_committed(listing.rows_of(users))
            if row.pk not in seen and _login_of(row) in logins
        ]
    return ended


def _as_committed(rows: Any) -> Any:
    """Return rows of the list; inside a transaction they are locked, to be of no old snapshot."""
    return rows.select_for_update() if connections[rows.db].in_atomic_block else rows


def _login_of(row: Any) -> tuple[Any, Any]:
    """Return what stays the same when the key of a session changes."""
    return row.user_id, row.created


def _present_id(session: Any, rows: list[Any]) -> str | None:
    """Return the public id of the session to keep, whose key another request may have changed."""
    if session is None:
        return None
    public_id: str | None = session.public_id
    if public_id in {row.public_id for row in rows} or not hasattr(session, "refresh"):
        return public_id
    with suppress(UpdateError):  # it has ended
        session.refresh()
    return session.public_id  # type: ignore[no-any-return]


async def aend_sessions(users: Any, keep: Any = None, reason: EndReason = EndReason.ENDED) -> int:
    """``end_sessions()``."""
    return await sync_to_async(end_sessions)(users, keep, reason)


def end_rows(rows: Iterable[Any], reason: EndReason) -> int:
    """End the sessions of ``rows``; return how many there were.

    One that cannot be ended keeps no other alive: its error is raised afterwards.
    """
    return sum(of_each(rows, lambda row: end_row(row, reason)))


def of_each(items: Iterable[T], function: Callable[[T], R]) -> list[R]:
    """Return what ``function`` returns of each; raise its first error after all were tried."""
    results, failed, lost = list[R](), None, 0.0
    for item in items:
        begun = monotonic()
        try:
            results.append(function(item))
        except Exception as error:  # noqa: BLE001 # it is raised below
            failed = failed or error
            lost += monotonic() - begun
            if lost >= PATIENCE:
                break
    if failed is not None:
        raise failed
    return results


def end_row(row: Any, reason: EndReason) -> bool:
    """End the session of ``row``, then the row; return whether there was one."""
    if not row.stored_key:  # of history
        return False
    # All of them first: one that keeps copies hears of the rows that another one ends.
    stores = {engine: listing.store_of(engine) for engine in listing.engines_of(row)}
    # One that is listed and not stored yet shall not be stored after this. An engine that is not
    # known here, as one that moves sessions, may store it in the present one.
    keeper = row.engine if stores[row.engine] else conf.SESSION_ENGINE

    def end_in(engine: str) -> bool:
        store, owner = stores[engine], str(row.user_id)
        block = engine == keeper and listing.is_recent(row)
        return bool(store and store.end_stored(row.stored_key, reason, block=block, owner=owner))

    ended = any(of_each(stores, end_in))
    if ended:  # the registry has been told
        return True
    now = _as_committed(table.rows().live().filter(pk=row.pk)).first()
    if now is not None and now.stored_key != row.stored_key:  # it has been renamed meanwhile
        return end_row(now, reason)
    if listing.is_recent(row) and listing.is_of_another(row):  # it is about to be this user's
        return False
    writing.end(row.public_id, reason, user_id=row.user_id, stored_key=row.stored_key)
    return False


async def aend_row(row: Any, reason: EndReason) -> bool:
    """``end_row()``."""
    return await sync_to_async(end_row)(row, reason)
