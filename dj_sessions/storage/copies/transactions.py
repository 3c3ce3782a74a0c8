"""What copies need to know of the rows, and the sessions that are busy until a commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Protocol, TypeAlias

from dj_sessions.storage.base import Commit, Entries, Record, Sample
from dj_sessions.storage.copies.protocol import Copies


class Rows(Protocol):
    """What copies need of the storage of the rows, beyond the contract of a ``Storage``."""

    commit: Commit | None
    #: Whether others may know a key before it is stored, as a site that makes its own may have it.
    has_own_keys: bool

    def entries(self, batch: int) -> Iterator[Entries]:
        """Yield the rows that hold a session."""

    def sample(self, size: int, random: Random) -> Sample:
        """Return some of them, as ``Storage.sample()`` does."""

    def read_written(self, key: str) -> Record | None:
        """Return the row as the writing database has it, with its expiry."""

    def reads_committed(self) -> bool:
        """Return whether a row that is read is the one that everybody else sees."""

    def in_transaction(self) -> bool:
        """Return whether a transaction is open, other than the one of a TestCase."""

    def after_commit(self, action: Callable[[], object]) -> None:
        """Have ``action`` called when the open transaction is committed."""


#: What ends a session's being busy: called with the name of its entry, and what says so there.
Then: TypeAlias = Callable[[str, Any], None]


class BusySessions:
    """Sessions whose rows a transaction has changed: nobody copies them until it is over."""

    def __init__(self, copies: Copies) -> None:
        self._copies = copies
        #: The name of each entry, and what says there that the session is busy.
        self.marks: list[tuple[str, Any]] = []

    def until_commit(self, rows: Rows, name: str, mark: Any, then: Then) -> None:
        """Call ``then`` when the transaction is committed; until that the session is busy."""
        self.marks.append((name, mark))

        def committed() -> None:
            self.marks = [other for other in self.marks if other[1] is not mark]
            then(name, mark)

        rows.after_commit(committed)

    def let_go(self) -> None:
        """Have copies made again."""
        marks, self.marks = self.marks, []
        for name, mark in marks:
            self._copies.reveal(name, mark)
