"""A storage around a storage: rows with copies in a cache in front of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from random import Random
from typing import Any

from django.utils import timezone
from django.utils.functional import cached_property

from dj_sessions._metrics.recording import recorders
from dj_sessions.storage.base import Entries, Record, Sample
from dj_sessions.storage.caches import adapter_of
from dj_sessions.storage.copies.compact import CompactForm
from dj_sessions.storage.copies.counted import CountedCopies
from dj_sessions.storage.copies.entries import HIDDEN, Sight
from dj_sessions.storage.copies.forms import Codec, DjangoForm
from dj_sessions.storage.copies.protocol import Copies
from dj_sessions.storage.copies.record import CopiedRecord
from dj_sessions.storage.copies.transactions import BusySessions, Rows, Then
from dj_sessions.storage.steps import SteppedStorage, Steps


class CopiedStorage(SteppedStorage):
    """Rows, and their copies in a cache: the database decides, the cache spares it the reads.

    ``rows`` makes the storage of the rows, and is not called while copies are enough. ``name``
    makes the name of an entry of a session key, ``codec`` data of a payload. With ``is_compact`` a
    copy is in a form of our own.

    It belongs to one session, and remembers what the cache has said of it.
    """

    def __init__(
        self,
        rows: Callable[[], Rows],
        cache: Any,
        alias: str,
        prefix: str,
        name: Callable[[str], str],
        codec: Codec,
        *,
        is_compact: bool = False,
    ) -> None:
        self._make_rows = rows
        self._name = name
        self._codec = codec
        self._form = (CompactForm if is_compact else DjangoForm)(adapter_of(cache), codec)
        copies = CountedCopies if recorders else Copies
        self._copies = copies(cache, alias, prefix, self._form)
        self._sights: dict[str, Sight] = {}
        self._busy = BusySessions(self._copies)

    @cached_property
    def inner(self) -> Rows:  # type: ignore[override] # made where it is needed
        """The storage of the rows."""
        return self._make_rows()

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
        row, sight = yield from self._leased(key, "read_written", key)
        return self._copied(key, row, sight)

    def _leased(self, key: str, *call: str) -> Steps:
        """Return what a call returns that reads the row, and the sight to copy it with."""
        sight = self._sights[key]
        if sight is not HIDDEN and self.inner.reads_committed():
            sight = self._copies.lease(self._name(key), sight)
        else:
            sight = HIDDEN
        try:
            return (yield call), sight
        except BaseException:
            self._copies.withdraw(self._name(key), sight)
            raise

    def read_renamed(self, key: str, new: str, latest: bool = False) -> tuple[str, Record] | None:
        return self._run(self._reading_renamed(key, new, latest))  # type: ignore[no-any-return]

    async def aread_renamed(
        self, key: str, new: str, latest: bool = False
    ) -> tuple[str, Record] | None:
        return await self._arun(self._reading_renamed(key, new, latest))  # type: ignore[no-any-return]

    def _reading_renamed(self, key: str, new: str, latest: bool) -> Steps:
        if latest:
            return (yield "read_renamed", key, new, latest)
        copy = self._look(key)
        if copy is not None:
            return key, copy
        found, sight = yield from self._leased(key, "read_renamed", key, new)
        if found is not None and found[0] == new:
            self._copies.withdraw(self._name(key), sight)
            return found
        record = self._copied(key, None if found is None else found[1], sight)
        return None if record is None else (key, record)

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

    def _holding(self, key: str) -> Steps:
        return self._look(key) is not None or (yield "holds", key)

    # Writing

    def _inserting(self, key: str, record: Any) -> Steps:
        name = self._name(key)
        if self.inner.has_own_keys:
            sight = self._copies.lease(name, self._copies.look(name))
        else:
            sight = self._copies.fresh(name)
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
            self._busy.until_commit(self.inner, name, mark, self._copies.reveal)
            return
        copy = self._form.copy(record.payload, record.data)
        sight = self._sights.get(key, HIDDEN)
        self._sights[key] = self._copies.replace(name, copy, record.age, sight)

    def rename(self, key: str, new: str, record: Any, expected: Record | None) -> str | None:
        return self._run(self._renaming(key, new, record, expected))  # type: ignore[no-any-return]

    async def arename(self, key: str, new: str, record: Any, expected: Record | None) -> str | None:
        steps = self._renaming(key, new, record, expected)
        return await self._arun(steps)  # type: ignore[no-any-return]

    def _renaming(self, key: str, new: str, record: Any, expected: Record | None) -> Steps:
        row = yield from self._stored(key, expected)
        if row is None and expected is not None:
            return None
        name = self._name(key)
        mark = self._copies.hide(name, self._sights.pop(key, HIDDEN))
        stored = yield "rename", key, new, record, row
        if stored is None:
            self._copies.unhide(name, mark)
        elif stored == key:
            self._let_go(name, mark, self._copies.reveal, self._copies.reveal)
        else:
            self._let_go(name, mark, self._copies.end, self._copies.end_late)
            self._written(new, record)
        return stored

    def _removing(self, key: str, expected: Record | None) -> Steps:
        return self._ending(key, expected, "remove")

    def _moving(self, key: str, expected: Record | None, forward: str) -> Steps:
        return self._ending(key, expected, "move", forward)

    def _ending(self, key: str, expected: Record | None, deed: str, *more: Any) -> Steps:
        row = yield from self._stored(key, expected)
        if row is None and expected is not None:
            return False
        # The copy first: whoever reads the row from now on keeps none.
        name = self._name(key)
        mark = self._copies.hide(name, self._sights.pop(key, HIDDEN))
        was_there = yield deed, key, row, *more
        if was_there:
            self._let_go(name, mark, self._copies.end, self._copies.end_late)
        else:
            self._copies.unhide(name, mark)
        return was_there

    def entries(self, batch: int) -> Iterator[Entries]:
        return self.inner.entries(batch)

    def sample(self, size: int, random: Random) -> Sample:
        return self.inner.sample(size, random)

    def end_copy(self, key: str) -> None:
        """End the copy of a row that somebody else has deleted, or changed."""
        name, sight = self._name(key), self._sights.pop(key, HIDDEN)
        if self.inner.in_transaction():
            mark = self._copies.hide(name, sight)
            self._busy.until_commit(self.inner, name, mark, self._copies.reveal)
        else:
            self._copies.replace(name, None, 0, HIDDEN)

    def _let_go(self, name: str, mark: Any, at_once: Then, at_commit: Then) -> None:
        """Do what ends a hidden session's being busy: now, or when the transaction is over."""
        if self.inner.in_transaction():
            self._busy.until_commit(self.inner, name, mark, at_commit)
        else:
            at_once(name, mark)

    @property
    def is_unsettled(self) -> bool:
        """Whether a session is busy since a transaction that has not been committed."""
        return bool(self._busy.marks)

    def settle(self) -> None:
        """Have copies made again where a transaction was rolled back."""
        if self._busy.marks and not self.inner.in_transaction():
            self._busy.let_go()


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
