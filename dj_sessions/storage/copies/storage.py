"""A storage around a storage: rows with copies in a cache in front of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol

from django.utils import timezone

from dj_sessions.storage.base import Commit, Record
from dj_sessions.storage.caches import adapter_of
from dj_sessions.storage.copies.compact import CompactForm
from dj_sessions.storage.copies.entries import HIDDEN, Sight
from dj_sessions.storage.copies.forms import Codec, DjangoForm
from dj_sessions.storage.copies.protocol import Copies
from dj_sessions.storage.copies.record import CopiedRecord
from dj_sessions.storage.copies.steps import SteppedStorage, Steps


class Rows(Protocol):
    """What copies need of the storage of the rows, beyond the contract of a ``Storage``."""

    commit: Commit | None

    def read_written(self, key: str) -> Record | None:
        """Return the row as the writing database has it, with its expiry."""

    def reads_committed(self) -> bool:
        """Return whether a row that is read is the one that everybody else sees."""

    def in_transaction(self) -> bool:
        """Return whether a transaction is open, other than the one of a TestCase."""

    def after_commit(self, action: Callable[[], object]) -> None:
        """Have ``action`` called when the open transaction is committed."""


class CopiedStorage(SteppedStorage):
    """Rows, and their copies in a cache: the database decides, the cache spares it the reads.

    ``name`` makes the name of an entry of a session key, ``codec`` data of a payload. With
    ``is_compact`` a copy is in a form of our own. Where others may know a key before it is
    stored, as a site that makes its own may have it, ``has_random_keys`` is False.

    It belongs to one session, and remembers what the cache has said of it.
    """

    def __init__(
        self,
        rows: Any,
        cache: Any,
        alias: str,
        prefix: str,
        name: Callable[[str], str],
        codec: Codec,
        *,
        is_compact: bool = False,
        has_random_keys: bool = True,
    ) -> None:
        super().__init__(rows)
        self._name = name
        self._codec = codec
        self._form = (CompactForm if is_compact else DjangoForm)(adapter_of(cache), codec)
        self._copies = Copies(cache, alias, prefix, self._form)
        self._has_random_keys = has_random_keys
        self._sights: dict[str, Sight] = {}
        #: What says that a session is busy until the open transaction is over, with its entry.
        self._marks: list[tuple[str, Any]] = []

    # Reading

    def read(self, key: str) -> Record | None:
        found = self._look(key)
        return self._run(self._missing(key)) if found is None else found

    async def aread(self, key: str) -> Record | None:
        return await self._arun(self._reading(key))  # type: ignore[no-any-return]

    def _reading(self, key: str) -> Steps:
        found = self._look(key)
        return found if found is not None else (yield from self._missing(key))

    def _missing(self, key: str) -> Steps:
        """Read the row, and keep a copy of it."""
        sight = self._sights[key]
        if sight is not HIDDEN and self.inner.reads_committed():
            sight = self._copies.lease(self._name(key), sight)
        else:
            sight = HIDDEN
        try:
            row = yield "read_written", key
        except BaseException:
            self._copies.withdraw(self._name(key), sight)
            raise
        return self._copied(key, row, sight)

    def _look(self, key: str) -> CopiedRecord | None:
        sight = self._sights[key] = self._copies.look(self._name(key))
        return None if sight.copy is None else self._form.record(sight.copy)

    def _copied(self, key: str, row: Record | None, sight: Sight) -> Record | None:
        """Keep the copy of a row that was read, unless it was changed or ended meanwhile."""
        data = copy = None
        if row is not None and row.forward is None and sight is not HIDDEN:
            data = self._codec.decode(row.payload) if row.data is None else row.data
            if data is None:  # which was reported, once
                row = _Unreadable(row.payload, row.expiry)
            else:
                copy = self._form.copy(row.payload, data)
        age = 0 if row is None else _seconds_left(row)
        self._sights[key] = self._copies.copy(self._name(key), copy, age, sight)
        return row if copy is None else self._form.record(copy, row, data) or row

    def holds(self, key: str) -> bool:
        return bool(self._run(self._holding(key)))

    async def aholds(self, key: str) -> bool:
        return bool(await self._arun(self._holding(key)))

    def _holding(self, key: str) -> Steps:
        return self._look(key) is not None or (yield "holds", key)

    # Writing

    def insert(self, key: str, record: Any) -> bool:
        return bool(self._run(self._inserting(key, record)))

    async def ainsert(self, key: str, record: Any) -> bool:
        return bool(await self._arun(self._inserting(key, record)))

    def _inserting(self, key: str, record: Any) -> Steps:
        name = self._name(key)
        if self._has_random_keys:
            sight = self._copies.fresh(name)
        else:
            sight = self._copies.lease(name, self._copies.look(name))
        inserted = False
        try:
            inserted = yield "insert", key, record
        finally:
            if not inserted:
                self._copies.withdraw(name, sight)
        if not inserted:
            return False
        self._sights[key] = sight
        self._written(key, record)
        return True

    def replace(self, key: str, record: Any, expected: Record | None) -> bool:
        return bool(self._run(self._replacing(key, record, expected)))

    async def areplace(self, key: str, record: Any, expected: Record | None) -> bool:
        return bool(await self._arun(self._replacing(key, record, expected)))

    def _replacing(self, key: str, record: Any, expected: Record | None) -> Steps:
        row = yield from self._stored(key, expected)
        if row is None and expected is not None:
            return False
        replaced = yield "replace", key, record, row
        if replaced:
            self._written(key, record)
        return replaced

    def _stored(self, key: str, expected: Record | None) -> Steps:
        """Return a record with the payload of ``expected``; None if that is not what is stored."""
        if not isinstance(expected, CopiedRecord):
            return expected
        payload = expected.payload
        if payload is not None:
            return Record(payload)
        row = yield "read_latest", key
        if row is None or row.forward is not None:
            return None
        data = self._codec.decode(row.payload) if row.data is None else row.data
        return row if data == expected.data else None

    def _written(self, key: str, record: Any) -> None:
        """Keep the copy of a row that was written, or have readers ask for the row."""
        name = self._name(key)
        if self.inner.in_transaction():
            mark = self._copies.hide(name, self._sights.pop(key, HIDDEN))
            self._hide_until_commit(key, mark, self._copies.reveal)
            return
        copy = self._form.copy(record.payload, record.data)
        sight = self._sights.get(key, HIDDEN)
        self._sights[key] = self._copies.replace(name, copy, record.age, sight)

    def remove(self, key: str, expected: Record | None = None) -> bool:
        return bool(self._run(self._ending(key, expected, "remove")))

    async def aremove(self, key: str, expected: Record | None = None) -> bool:
        return bool(await self._arun(self._ending(key, expected, "remove")))

    def move(self, key: str, expected: Record | None, forward: str) -> bool:
        return bool(self._run(self._ending(key, expected, "move", forward)))

    async def amove(self, key: str, expected: Record | None, forward: str) -> bool:
        return bool(await self._arun(self._ending(key, expected, "move", forward)))

    def _ending(self, key: str, expected: Record | None, deed: str, *more: Any) -> Steps:
        row = yield from self._stored(key, expected)
        if row is None and expected is not None:
            return False
        # The copy first: whoever reads the row from now on keeps none.
        name = self._name(key)
        mark = self._copies.hide(name, self._sights.pop(key, HIDDEN))
        was_there = yield deed, key, row, *more
        if was_there:
            self._row_is_gone(key, mark)
        else:
            self._copies.unhide(name, mark)
        return was_there

    def end_copy(self, key: str) -> None:
        """End the copy of a row that somebody else has deleted, or changed."""
        name, sight = self._name(key), self._sights.pop(key, HIDDEN)
        if self.inner.in_transaction():
            mark = self._copies.hide(name, sight)
            self._hide_until_commit(key, mark, self._copies.reveal)
        else:
            self._copies.replace(name, None, 0, HIDDEN)

    def _row_is_gone(self, key: str, mark: Any) -> None:
        if self.inner.in_transaction():
            self._hide_until_commit(key, mark, self._copies.end_late)
        else:
            self._copies.end(self._name(key), mark)

    # Transactions

    def _hide_until_commit(self, key: str, mark: Any, then: Callable[[str, Any], None]) -> None:
        """Call ``then`` when the transaction is committed; until that the session is busy."""
        name = self._name(key)
        self._marks.append((name, mark))

        def committed() -> None:
            self._marks = [other for other in self._marks if other[1] is not mark]
            then(name, mark)

        self.inner.after_commit(committed)

    @property
    def is_unsettled(self) -> bool:
        """Whether a session is busy since a transaction that has not been committed."""
        return bool(self._marks)

    def settle(self) -> None:
        """Have copies made again where a transaction was rolled back."""
        if self._marks and not self.inner.in_transaction():
            marks, self._marks = self._marks, []
            for name, mark in marks:
                self._copies.reveal(name, mark)


class _Unreadable(Record):
    """A record whose payload is corrupt, which was reported: its data is none."""

    @property
    def data(self) -> dict[str, Any]:
        """No data."""
        return {}


def _seconds_left(record: Record) -> int:
    """Return for how long a session goes on; 0 where the record does not say."""
    if record.expiry is None:
        return 0
    return (record.expiry - timezone.now()) // timedelta(seconds=1)
