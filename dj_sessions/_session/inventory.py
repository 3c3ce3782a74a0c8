"""Reading all stored sessions, without using one: what they hold, and when they end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dj_sessions import _keys
from dj_sessions._moments import moment
from dj_sessions._session.modes import finish, in_sync
from dj_sessions.storage.base import Entries, Entry


@dataclass(frozen=True)
class LiveSession:
    """A session that lives, and the ``name`` under which its store has it.

    ``started`` and ``used`` (datetime) are when it began and when it was last used, as far as its
    data tells; None where it does not.
    """

    name: str
    data: dict[str, Any]
    started: datetime | None
    used: datetime | None
    expires: datetime

    @property
    def public_id(self) -> str:
        """The public id of the session."""
        return _keys.public_id(self.name)


@dataclass
class Inventory:
    """A batch: the sessions that live, how many cannot be read, and of how many entries.

    ``last`` is the name of the last entry; empty where there is none.
    """

    found: list[LiveSession] = field(default_factory=list)
    unreadable: int = 0
    entries: int = 0
    last: str = ""

    def add(self, session: Any, entry: Entry) -> None:
        """Note what is in ``entry``, which ``session`` reads."""
        self.entries += 1
        self.last = entry.name
        data = session._decoded(entry.record)
        if data is None:
            self.unreadable += 1
        elif not finish(session._is_over(in_sync, entry.record, data)):
            self.found.append(_found(session, entry, data))


def inventory(
    batches: Iterable[Entries], session_under: Callable[[str], Any]
) -> Iterator[Inventory]:
    """Yield what is in ``batches``; ``session_under(name)`` returns a session that reads it."""
    for entries in batches:
        inventory = Inventory()
        for entry in entries:
            inventory.add(session_under(entry.name), entry)
        yield inventory


def _found(session: Any, entry: Entry, data: dict[str, Any]) -> LiveSession:
    session._session_cache = data
    session._keep_marks(data)
    saved = session._saved_in(entry.record)
    used = moment(session._marks.last_use(saved)) or entry.record.modified
    changed = moment(saved) or used
    known = {} if changed is None else {"modification": changed}
    expires = entry.record.expiry or session.get_expiry_date(**known)
    return LiveSession(entry.name, data, moment(session._marks.start), used, expires)
