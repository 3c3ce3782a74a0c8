"""How many sessions a user may have at a time."""

from __future__ import annotations

from time import monotonic
from typing import Any, Final

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connections, router, transaction
from django.utils.module_loading import import_string

from dj_sessions.registry import note_owner
from dj_sessions.signals import EndReason, session_refused
from dj_sessions.storage.rows.errors import may_pass
from dj_sessions.user_sessions import ending, listing, table, writing
from dj_sessions.user_sessions.conf import conf
from dj_sessions.user_sessions.entries import Entry
from dj_sessions.user_sessions.exceptions import SessionLimitReached
from dj_sessions.user_sessions.relogin import AUTHENTICATED_AT

#: What a login writes into the session.
LOGIN: Final = (SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY, AUTHENTICATED_AT)

#: How often a login is tried again that a deadlock has undone, and for how many seconds: PostgreSQL
#: looks for one when it has waited for a second.
MORE_ATTEMPTS: Final = 4
LONGEST_DEADLOCK: Final = 3.0


def is_set() -> bool:
    """Return whether there is a limit."""
    return conf.SESSION_LIMIT_PER_USER is not None


def enter(entry: Entry, sender: Any, *, is_apart: bool) -> None:
    """Have the list name a login, within the limit.

    ``is_apart`` tells that the session stays where the transaction around the list is rolled back.
    Raises SessionLimitReached where the limit refuses it, after a signal of ``sender``, and
    DatabaseError.
    """
    if is_apart:
        writing.enter_for_good(entry)
    try:
        surplus = _enter_in_turn(entry, is_entered=is_apart)
    except SessionLimitReached as error:
        if is_apart:
            writing.end(entry.public_id, None, user_id=entry.user_id)
        session_refused.send_robust(
            sender=sender, public_id=entry.public_id, user_id=entry.user_id, limit=error.limit
        )
        raise
    ending.end_rows(surplus, EndReason.LIMIT)


def _enter_in_turn(entry: Entry, *, is_entered: bool) -> list[Any]:
    """Do as ``_enter_once()``, again if the transactions of others have undone it.

    MariaDB may look through the rows of all users, and finds two logins in each other's way.
    """
    begun = monotonic()
    for _ in range(MORE_ATTEMPTS):
        try:
            return _enter_once(entry, is_entered=is_entered)
        except OperationalError as error:
            # A transaction around it is undone as well. What took long is no deadlock.
            took_long = monotonic() - begun > LONGEST_DEADLOCK
            if writing.is_inside() or took_long or not may_pass(error):
                raise
    return _enter_once(entry, is_entered=is_entered)


def _enter_once(entry: Entry, *, is_entered: bool) -> list[Any]:
    """Write the row while no other login of the user does; return those that have to end."""
    model: Any = get_user_model()
    users = router.db_for_write(model)
    with transaction.atomic(users), transaction.atomic(table.database()):
        # Who comes next waits for the lock of the user, or for the first write, as on SQLite.
        has_locks = connections[users].features.has_select_for_update
        if not has_locks and not is_entered:
            writing.enter(entry)
        user = _locked(model, users, entry.user_id)
        if has_locks and not is_entered:
            writing.enter(entry)
        allowed = None if user is None else _limit_of(user)
        if allowed is None:
            return []
        surplus = _surplus(entry, allowed)
        if allowed < 1 or (surplus and conf.SESSION_LIMIT_ACTION == "refuse"):
            raise SessionLimitReached(allowed)
    return surplus


def _locked(model: Any, using: str, user_id: Any) -> Any:
    features = connections[using].features
    users = model._base_manager.using(using)
    # What a foreign key elsewhere needs of the user is not locked, where a database can tell.
    users = users.select_for_update(no_key=features.has_select_for_no_key_update)
    return users.filter(pk=user_id).first()


def _limit_of(user: Any) -> int | None:
    found: Any = conf.SESSION_LIMIT_PER_USER
    if isinstance(found, str):
        found = import_string(found)(user)
    if found is not None and (isinstance(found, bool) or not isinstance(found, int)):
        raise ImproperlyConfigured(
            f"SESSION_LIMIT_PER_USER = {conf.SESSION_LIMIT_PER_USER!r} gives {found!r} for a user. "
            "It has to be a whole number, None for no limit, or the dotted path of a function that "
            "returns either."
        )
    return found


def _surplus(entry: Entry, allowed: int) -> list[Any]:
    """Return the oldest other sessions, those beyond the limit."""
    others = table.rows().live().filter(user_id=entry.user_id).order_by("created", "pk")
    # Locked to be read, a row is as others have committed it, and not as of an old snapshot.
    found = list(others.exclude(public_id=entry.public_id).select_for_update())
    if len(found) < allowed:
        return []
    alive = set(listing.alive_among(found))
    counted = [row for row in found if row in alive or listing.is_recent(row)]
    return counted[: max(0, len(counted) + 1 - allowed)]


def refuse_in_login(sender: Any, request: Any, user: Any, **kwargs: Any) -> None:
    """Have ``login()`` raise SessionLimitReached, so that its view can say so.

    The list names the session from here on, before the middleware saves it.
    """
    if not is_set() or conf.SESSION_LIMIT_ACTION != "refuse":
        return
    session: Any = getattr(request, "session", None)
    if not hasattr(session, "owners_among"):  # it is not listed
        return
    owner = session.get(SESSION_KEY)
    if session._session_key is None:  # as after the end of another user's: it begins as nobody's
        session.pop(SESSION_KEY)
        session.create()
        session[SESSION_KEY] = owner
    elif session._owner == owner:
        return
    key = session._session_key
    try:
        is_apart = writing.is_apart(session._storage.database)
        enter(Entry.in_use(session, key, user.pk), type(session), is_apart=is_apart)
    except SessionLimitReached:
        for name in LOGIN:  # the rest is what the visitor had before
            session.pop(name, None)
        request.user = AnonymousUser()
        raise
    note_owner(session, owner)
