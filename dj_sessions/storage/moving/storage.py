"""The storage that is made of two."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured

from dj_sessions.storage.base import Commit, Entries, Record, Storage
from dj_sessions.storage.clearing import Purge, PurgeOfAll
from dj_sessions.storage.moving import keeping
from dj_sessions.storage.moving.places import (
    SOURCE,
    TARGET,
    Carried,
    Found,
    Movable,
    Place,
    Placed,
    Times,
)
from dj_sessions.storage.moving.search import ROUNDS, Search
from dj_sessions.storage.moving.transfer import Transfer
from dj_sessions.storage.steps import SearchingStorage, Steps


class MovingStorage(SearchingStorage):
    """Sessions in ``target``, which are looked up in ``source`` as well and move from there.

    A session moves when it is saved, or by ``carry()``; not inside a transaction, which could take
    back one half of a move. Without ``moves`` new sessions go to the source, and each is saved
    where it is. It belongs to one session, and remembers where that was found.
    """

    atomic_rename = False

    def __init__(self, source: Place, target: Place, *, moves: bool = True) -> None:
        self._places = source, target
        #: Whether saves move sessions, and new ones go to the target.
        self.moves = moves
        super().__init__(_Both(source.storage, target.storage))
        self._search = Search(self._places, TARGET if moves else SOURCE)
        #: The steps of a move.
        self.transfer = Transfer(self._places, self._search)
        self._written: Storage = target.storage

    @property
    def source(self) -> Storage:
        """The storage that sessions leave."""
        return self._places[SOURCE].storage

    @property
    def target(self) -> Storage:
        """The storage that they move to."""
        return self._places[TARGET].storage

    def carry(self, name: str) -> Carried:
        """Move the session that stands in the source under ``name``; return what became of it.

        ``name`` is the stored form of its key. The session stays as it is and ends when it would
        have ended. This is safe beside live traffic, and beside others who carry. Raises
        ImproperlyConfigured where nothing moves, and inside a transaction.
        """
        if not self.moves:
            raise ImproperlyConfigured(
                "No session can be carried while SESSION_MOVE has 'PHASE': 'prepare'. Change it to "
                "'move' when each server has it."
            )
        if not self._is_final():
            raise ImproperlyConfigured(
                "No session can be carried inside a transaction, which could take back one half of "
                "the move. Call carry() outside of it."
            )
        carried = Carried.BUSY
        for _ in range(ROUNDS):
            carried = self._run(self.transfer.carry(name))
            if carried is not Carried.BUSY:
                break
        return carried

    # Reading

    def _reading(self, name: str, read: str) -> Steps:
        found = yield from self._search.look(name, read)
        return None if isinstance(found, Found) and found.is_over else found

    def _holding(self, name: str) -> Steps:
        return isinstance((yield from self._search.look(name)), Found)

    # Writing

    def _inserting(self, name: str, record: Movable) -> Steps:
        first = self._search.first
        made = record.made_for(first, name)
        is_new = not (yield "call", self._places[1 - first].storage, "holds", name)
        if is_new and (yield from self._write(first, "insert", name, made, record)):
            return True
        # What is there may be no session.
        if isinstance((yield from self._search.look(name)), Found):
            return False
        cell = yield from self._search.cell(first, name)
        if cell.word is None:
            return (yield from self._write(first, "insert", name, made, record))
        return (yield from self._write(first, "replace", name, made, record, cell.record))

    def _replacing(self, name: str, record: Movable, expected: Record | None) -> Steps:
        if expected is None:
            expected = yield from self._search.look(name)
            if not isinstance(expected, Found) or expected.is_over:
                return False
        placed: Placed = expected.payload
        is_whole = placed.claim is None  # else a move back was stopped, which is undone by a save
        if placed.place == SOURCE and is_whole and self.moves and self._is_final():
            return (yield from self._save_and_move(name, record, placed))
        made, stored = record.made_for(placed.place, name), Record(placed.payload)
        if not (yield from self._write(placed.place, "replace", name, made, record, stored)):
            return False
        yield from self._drop_claim(name, placed)
        return True

    def _write(
        self, place: int, method: str, name: str, made: Record, record: Movable, *expected: Any
    ) -> Steps:
        storage = self._places[place].storage
        if not (yield "call", storage, method, name, made, *expected):
            return False
        self._note(place, name, made, record)
        return True

    def _save_and_move(self, name: str, record: Movable, placed: Placed) -> Steps:
        target, data = self._places[TARGET], record.data
        made = record.made_for(TARGET, name)
        times = Times(target.end_of(name, made, data), target.saved_in(made))
        if not (yield from self.transfer.move(name, placed.payload, made, data, times)):
            return False
        self._note(TARGET, name, made, record)
        return True

    def _note(self, place: int, name: str, made: Record, record: Movable) -> None:
        self._written = self._places[place].storage
        placed = self._search.known[name] = Placed(place, made.payload)
        record.stands(placed)

    def _drop_claim(self, name: str, placed: Placed) -> Steps:
        """Remove the claim of a ticket that was replaced or removed, unless that may be undone."""
        if placed.claim is not None and self._is_final():
            source = self._places[1 - placed.place].storage
            yield "call", source, "remove", name, Record(placed.claim)

    def _is_final(self) -> bool:
        """Return whether no transaction may take back what is written now."""
        return self.source.may_wait() and self.target.may_wait()

    # Ending

    def _removing(self, name: str, expected: Record | None) -> Steps:
        return self._ending(name, expected, "remove")

    def _moving(self, name: str, expected: Record | None, forward: str) -> Steps:
        return self._ending(name, expected, "move", forward)

    def _ending(self, name: str, expected: Record | None, deed: str, *more: Any) -> Steps:
        if expected is not None:
            return (yield from self._end(name, expected.payload, deed, *more))
        placed = self._search.known.get(name)
        for _ in range(ROUNDS):
            if placed is not None and (yield from self._end(name, placed, deed, *more)):
                return True
            found = yield from self._search.look(name)
            if not isinstance(found, Found):
                return False
            placed = found.payload
        # Somebody saves it all the time. In this order nothing is missed that moves meanwhile.
        ended = []
        for place in self._places:
            ended.append((yield "call", place.storage, deed, name, None, *more))
        return any(ended)

    def _end(self, name: str, placed: Placed, deed: str, *more: Any) -> Steps:
        storage = self._places[placed.place].storage
        if not (yield "call", storage, deed, name, Record(placed.payload), *more):
            return False
        self._written = storage
        self._search.known.pop(name, None)
        yield from self._drop_claim(name, placed)
        return True

    def keep_free(self, name: str, record: Movable) -> bool:
        """Have a record that is no session in both places; return False if there is a session."""
        return bool(self._run(keeping.keep_free(self._places, self._search, name, record)))

    def drop_forward(self, key: str) -> None:
        for place in self._places:
            place.storage.drop_forward(key)

    # Both

    @property
    def atomic_replace(self) -> bool:  # type: ignore[override] # it depends on both
        """Whether both storages compare and write in one step."""
        return self.source.atomic_replace and self.target.atomic_replace

    @property
    def forgets_expired(self) -> bool:  # type: ignore[override]
        """Whether both stores remove expired sessions themselves."""
        return self.source.forgets_expired and self.target.forgets_expired

    @property
    def blocking(self) -> bool:  # type: ignore[override]
        """Whether the sync methods of either storage do I/O."""
        return self.source.blocking or self.target.blocking

    @property
    def commit(self) -> Commit | None:  # type: ignore[override]
        """The end of the transaction around the last write, or None."""
        return self._written.commit

    @property
    def database(self) -> str | None:  # type: ignore[override]
        """The alias of the database whose transactions take back what is saved, if one does.

        A new session is saved in the first place; another one, inside a transaction, where it is.
        """
        found = {placed.place for placed in self._search.known.values()}
        aliases = {self._places[each].storage.database for each in {self._search.first, *found}}
        return aliases.pop() if len(aliases) == 1 else None

    @property
    def place(self) -> None:
        """None: there are two."""
        return None

    def may_wait(self) -> bool:
        return self._is_final()

    def check(self) -> list[CheckMessage]:
        return [*self.source.check(), *self.target.check()]

    def count_forms(self, now: datetime) -> dict[str, int]:
        counts = self.source.count_forms(now), self.target.count_forms(now)
        return {form: sum(count.get(form, 0) for count in counts) for form in counts[0]}

    def purge(self, now: datetime, batch: int) -> int:
        return self.start_purge(now).remove(batch)

    def start_purge(self, now: datetime) -> Purge:
        return PurgeOfAll([self.source.start_purge(now), self.target.start_purge(now)])

    def names(self, batch: int, after: str = "") -> Iterator[list[str]]:
        raise NotImplementedError(
            "they are in two stores. Give this command settings whose SESSION_ENGINE is one of the "
            "two engines of SESSION_MOVE"
        )

    def entries(self, batch: int) -> Iterator[Entries]:
        return Storage.entries(self, batch)  # each storage has a form of its own

    read_renamed = Storage.read_renamed
    aread_renamed = Storage.aread_renamed
    read_whole = Storage.read_whole


class _Both(Storage):
    """What calls a method of one of the storages."""

    def __init__(self, *storages: Storage) -> None:
        self._storages = storages

    @property
    def async_native(self) -> bool:  # type: ignore[override]
        return all(storage.async_native for storage in self._storages)

    def call(self, storage: Storage, method: str, *arguments: Any) -> Any:
        """Call a method."""
        return getattr(storage, method)(*arguments)

    async def acall(self, storage: Storage, method: str, *arguments: Any) -> Any:
        """Await its async twin."""
        return await getattr(storage, f"a{method}")(*arguments)
