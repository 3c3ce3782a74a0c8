"""What an operation says to its store: statements, round trips and file accesses together.

with traffic(store) as said:
    session.get("colour")
assert not said.writes, said.all
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.counters import round_trips, statements
from tests.stores import Store

#: How an entry begins that only asks: SQL, a file, a local cache, Memcached, Redis.
READS = re.compile(
    r"SELECT|read |read(_many)?\(|get\(|has_key\(|\(b'gets?'"
    r"|\[b'\*\d\\r\\n\$\d\\r\\n(GET|MGET|EXISTS)\\r"
)

#: What readers of ``cached_db`` write for a moment: see ``storage/copies/protocol.py``.
PASSING = re.compile(r".*(/tag|/generation|lease )")


@dataclass
class Traffic:
    statements: list[str] = field(default_factory=list)
    round_trips: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    @property
    def all(self) -> list[str]:
        return [*self.statements, *self.round_trips, *self.files]

    @property
    def writes(self) -> list[str]:
        return [entry for entry in self.all if not READS.match(entry)]

    @property
    def lasting(self) -> list[str]:
        """What was written, without the leases of readers, which are given back."""
        return [entry for entry in self.writes if not PASSING.match(entry)]


_watched: dict[str, list[str]] = {}


@contextmanager
def traffic(store: Store) -> Iterator[Traffic]:
    """Note everything that is said to the store inside the block."""
    files: list[str] = []
    if store.path:
        _watched[str(store.path)] = files
    try:
        with statements() as to_database, round_trips() as to_cache:
            yield Traffic(to_database, to_cache, files)
    finally:
        _watched.clear()


def _hear(event: str, args: tuple[Any, ...]) -> None:
    """Note an access to a file in a watched directory, by whichever function."""
    if not _watched or event not in _WORDS or not isinstance(args[0], str | os.PathLike):
        return
    word = _WORDS[event]
    if event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        word = "write"
    path = str(args[0])
    for directory, seen in _watched.items():
        if path.startswith(directory):
            note_file(seen, f"{word} {path}")


def note_file(seen: list[str], entry: str) -> None:
    seen.append(entry)


_WORDS = {
    "open": "read",
    "os.remove": "remove",
    "os.rename": "rename",
    "os.listdir": "read",
    "os.scandir": "read",
}
# Python has no way to take a hook back; outside a block this one returns at once.
sys.addaudithook(_hear)
