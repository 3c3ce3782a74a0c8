"""Listing the sessions that were stored before the list was there."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth import SESSION_KEY, get_user_model
from django.db import transaction
from django.utils import timezone

from dj_sessions import _keys
from dj_sessions.conf import conf
from dj_sessions.user_sessions import listing, table
from dj_sessions.user_sessions.models import UserSession, UserSessionQuerySet


@dataclass
class Indexed:
    """What a run has met, in numbers of sessions.

    ``added`` have a row now, ``listed`` had one, ``unreadable`` cannot be read. ``anonymous`` are
    nobody's, or of an account that is gone.
    """

    added: int = 0
    listed: int = 0
    anonymous: int = 0
    unreadable: int = 0


class Indexing:
    """One run over what SESSION_ENGINE has stored.

    It adds rows that are missing, and says in the others where a session is that has moved.

    It is safe beside live traffic: whoever logs in meanwhile is listed by the login, and the row of
    one who logs out just then names a session that is gone, as any row may. With ``is_dry`` nothing
    is written.
    """

    def __init__(self, *, is_dry: bool = False) -> None:
        self._is_dry = is_dry
        self._store = listing.store_of(conf.SESSION_ENGINE)
        #: What was done so far.
        self.outcome = Indexed()
        #: The name that was looked at last; empty before.
        self.last = ""

    @property
    def lists_in_order(self) -> bool:
        """Whether a run can go on behind the name where another one ended."""
        return self._store is not None and self._store().get_storage().lists_in_order

    @property
    def shown_last(self) -> str:
        """As much of ``last`` as people may see: it may be a session key that still counts."""
        return self.last[: _keys.SHOWN]

    def batches(self, size: int, after: str = "") -> Iterator[int]:
        """List all sessions; yields after each batch how many it had.

        ``after`` begins behind a name. Raises NotImplementedError if the engine cannot list what it
        has stored.
        """
        if self._store is None:
            raise NotImplementedError(f"{conf.SESSION_ENGINE} keeps no records")
        for inventory in self._store._inventory(size, after):
            self.outcome.unreadable += inventory.unreadable
            self._add(inventory.found, self._store.__module__)
            self.last = inventory.last or self.last
            yield inventory.entries

    def _add(self, found: list[Any], engine: str) -> None:
        owners = _owners(found)
        rows = [_row(each, owners[id(each)], engine) for each in found if id(each) in owners]
        known = _known(rows)
        missing = [row for row in rows if (row.public_id, row.user_id) not in known]
        self._write(missing)
        self._correct(rows, engine)
        self.outcome.added += len(missing)
        self.outcome.listed += len(rows) - len(missing)
        self.outcome.anonymous += len(found) - len(rows)

    def _write(self, rows: list[UserSession]) -> None:
        if rows and not self._is_dry:
            with transaction.atomic(using=table.database()):
                # A row that a save has written meanwhile knows more.
                table.rows().bulk_create(rows, ignore_conflicts=True)

    def _correct(self, rows: list[UserSession], engine: str) -> None:
        if not self._is_dry:
            _listed(rows).live().exclude(engine=engine).update(engine=engine)


def _row(found: Any, user_id: Any, engine: str) -> UserSession:
    used = found.used or timezone.now()
    return UserSession(
        user_id=user_id,
        stored_key=found.name,
        public_id=found.public_id,
        engine=engine,
        created=(found.started or used) - _within_a_second(),
        last_seen=used,
        expires=found.expires,
    )


def _within_a_second() -> timedelta:
    """Return a fraction of a second that no other login has: what is stored tells the second.

    Two sessions that began in the same moment are one to the list, whose key has changed.
    """
    return timedelta(microseconds=secrets.randbelow(1_000_000))


def _owners(found: list[Any]) -> dict[int, Any]:
    """Return the primary keys of the users who exist, by the identity of what is theirs."""
    users = get_user_model()
    named = {id(each): table.as_user_id(each.data.get(SESSION_KEY)) for each in found}
    asked = set(named.values()) - {None}
    there = set(users._base_manager.filter(pk__in=asked).values_list("pk", flat=True))
    return {each: user for each, user in named.items() if user in there}


def _known(rows: list[UserSession]) -> set[tuple[str, Any]]:
    return set(_listed(rows).values_list("public_id", "user_id"))


def _listed(rows: list[UserSession]) -> UserSessionQuerySet:
    listed: UserSessionQuerySet = table.rows().filter(public_id__in=[row.public_id for row in rows])
    return listed
