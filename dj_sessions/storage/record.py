"""What the methods of a storage take and return."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

from dj_sessions._codec import payloads


@dataclass(frozen=True, slots=True)
class Record:
    """What a storage keeps under a session key.

    ``payload`` is the data as it is stored: a text, or another type that the storage takes.
    ``expiry`` (datetime) is when the session ends, ``modified`` (datetime) when it was changed. A
    record to write has both. A record that was read may have neither, as a storage returns no
    expired session. It has ``modified`` alone if only the data tells when the session ends.
    ``forward`` is a text that takes the place of a session whose key has changed.
    """

    payload: Any
    expiry: datetime | None = None
    modified: datetime | None = None
    forward: str | None = None

    @property
    def age(self) -> int:
        """The lifetime in seconds of a record to write; raises ValueError of one without an end."""
        if self.expiry is None or self.modified is None:
            raise ValueError("The record does not say for how long it lives.")
        return (self.expiry - self.modified) // timedelta(seconds=1)

    @property
    def data(self) -> dict[str, Any] | None:
        """A new copy of the data if the storage has it without the payload, else None."""
        return None

    @property
    def remainder(self) -> str:
        """What a signed payload has beyond the data, the time first; empty for another one."""
        return payloads.remainder(self.payload) if isinstance(self.payload, str) else ""


class Entry(NamedTuple):
    """What a storage has: a record, and the name under which it stands there."""

    name: str
    record: Record


#: A batch of them.
Entries: TypeAlias = list[Entry]


class Sample(NamedTuple):
    """Some of the sessions of a storage, and how many it has of which they are a sample.

    ``entries`` yields them in batches.
    """

    total: int
    entries: Iterator[Entries]


class Commit:
    """The end of a transaction. It is called on a commit, and never on a rollback."""

    is_done = False

    def __init__(self) -> None:
        self._actions: list[Callable[[], object]] = []

    def then(self, action: Callable[[], object]) -> None:
        """Call ``action`` when the transaction is committed."""
        self._actions.append(action)

    def __call__(self) -> None:
        self.is_done = True
        for action in self._actions:
            action()
