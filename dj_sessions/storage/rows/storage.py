"""Sessions as rows of a model, on the databases that the site's routers name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import nullcontext
from datetime import datetime
from functools import partial
from random import Random
from typing import Any, Final, TypeAlias

from django.db import OperationalError, connections, router
from django.utils import timezone

from dj_sessions import _keys
from dj_sessions._codec import forwards
from dj_sessions.storage.base import Entries, Entry, Record, Sample, Storage, payload_of
from dj_sessions.storage.clearing import Purge
from dj_sessions.storage.rows import conversion, ends, renaming, sampling, together
from dj_sessions.storage.rows.clearing import RowPurge
from dj_sessions.storage.rows.errors import unless_taken
from dj_sessions.storage.rows.managers import manager_of, named
from dj_sessions.storage.rows.orm import Rows
from dj_sessions.storage.rows.prepared import PreparedRows, rows_of
from dj_sessions.storage.rows.record import loaded_from
from dj_sessions.storage.rows.transactions import (
    after_commit,
    commit_of,
    in_transaction,
    is_inside,
    reads_committed_rows,
)
from dj_sessions.storage.rows.watchers import delete_is_watched

#: Each failed attempt means that somebody else's save succeeded, so a few may follow each other.
REMOVE_ATTEMPTS: Final = 16

#: What changes a row: of these rows, its key, the row to write, the payload expected, and now.
Write: TypeAlias = Callable[[Rows, str, Any, str | None, datetime], bool]

_UNHEARD: Final = nullcontext()


class RowStorage(Storage):
    """The rows of ``model``; a record that is written may bring the instance that is its row.

    ``has_own_keys`` says that session keys may differ in their case alone, which MariaDB takes for
    the same. Those who keep copies of rows are told of ends and of saves, except for the methods of
    ``store``, a class that keeps copies itself and looks after its own saves.
    """

    atomic_replace = True
    lists_in_order = True

    def __init__(
        self, model: Any, *, has_own_keys: bool = False, store: type | None = None
    ) -> None:
        self.model = model
        self.has_own_keys = has_own_keys
        self._store = store

    @property
    def atomic_rename(self) -> bool:  # type: ignore[override] # it depends on the model
        """Whether a row may get another key."""
        return renaming.can_be_renamed(self.model)

    @property
    def place(self) -> Any:
        """The table, and the database to which sessions are written."""
        return self.model._meta.db_table, router.db_for_write(self.model)

    # Reading

    def read(self, key: str) -> Record | None:
        # A replica may lag: what it does not know is looked up where sessions are written.
        for using in places_to_read(self.model):
            found = rows_of(self.model, using).find(key, timezone.now())
            if found is not None:
                return found
        return None

    def read_written(self, key: str) -> Record | None:
        """Return the record as the database has it to which sessions are written, with its end."""
        return self._written().find_whole(key, timezone.now())

    def read_renamed(self, key: str, new: str, latest: bool = False) -> tuple[str, Record] | None:
        # No replica: on one that lags it may not have been renamed yet.
        rows = self._written()
        lock = latest and is_inside(connections[rows.using])
        return renaming.find_renamed(rows, key, new, timezone.now(), lock=lock)

    def read_latest(self, key: str) -> Record | None:
        # Inside a transaction, which may show an old row, the row is locked to be read.
        rows = self._written()
        return rows.find(key, timezone.now(), lock=is_inside(connections[rows.using]))

    def read_whole(self, key: str) -> Record | None:
        rows = self._written()
        lock = is_inside(connections[rows.using])
        return rows.find_whole(key, timezone.now(), lock=lock)

    def holds(self, key: str) -> bool:
        return named(manager_of(self.model).all(), key).exists()

    def read_among(self, keys: Collection[str]) -> dict[str, Record]:
        rows = self._written().live(timezone.now()).filter(session_key__in=keys)
        found: dict[str, Any] = {row.session_key: loaded_from(row) for row in rows}
        # A database may find other spellings of a key as well.
        return {key: found[key] for key in keys if key in found}

    @property
    def database(self) -> str:  # type: ignore[override]
        """The alias of the database that sessions are written to."""
        return router.db_for_write(self.model)

    def may_wait(self) -> bool:
        return not is_inside(connections[router.db_for_write(self.model)])

    def reads_committed(self) -> bool:
        """Return whether a row that ``read_written()`` gives is the one that everybody sees."""
        return reads_committed_rows(router.db_for_write(self.model))

    def in_transaction(self) -> bool:
        """Return whether a transaction is open, other than the one that a TestCase rolls back."""
        return in_transaction(router.db_for_write(self.model))

    def after_commit(self, action: Callable[[], object]) -> None:
        """Have ``action`` called when the open transaction is committed."""
        after_commit(router.db_for_write(self.model), action)

    # Writing

    def insert(self, key: str, record: Record) -> bool:
        row = self._row(key, record)
        using = router.db_for_write(self.model, instance=row)
        rows = rows_of(self.model, using)
        if not unless_taken(partial(_insert, rows, row), partial(rows.is_taken, key)):
            return False
        self.commit = commit_of(using)
        if self._store is None and self.commit is not None:
            # Nobody shall copy it before it is committed.
            ends.tell(self.model, key)
            self.commit.then(partial(ends.tell, self.model, key))
        return True

    def replace(self, key: str, record: Record, expected: Record | None) -> bool:
        return self._replace(key, self._row(key, record), expected, _replace)

    def rename(self, key: str, new: str, record: Record, expected: Record | None) -> str | None:
        rename = partial(self._replace, key, self._row(new, record), expected, renaming.rename)
        return new if unless_taken(rename, partial(self._written().is_taken, new)) else None

    def _replace(self, key: str, row: Any, expected: Record | None, write: Write) -> bool:
        using = router.db_for_write(self.model, instance=row)
        rows = rows_of(self.model, using)
        heard = ends.audiences and self._store is None
        try:
            with ends.telling(self.model, key) if heard else _UNHEARD:
                replaced = write(rows, key, row, payload_of(expected), timezone.now())
        except OperationalError as error:
            if not rows.is_write_conflict(error):
                raise
            return False
        self.commit = commit_of(using) if replaced and connections[using].in_atomic_block else None
        if heard and self.commit is not None:
            self.commit.then(partial(ends.tell, self.model, key))
        return replaced

    def remove(self, key: str, expected: Record | None = None) -> bool:
        with ends.telling(self.model, key, by=self._store):
            return self._remove(key, expected)

    def _remove(self, key: str, expected: Record | None) -> bool:
        rows = self._written()
        if expected is not None:
            return rows.is_done(
                partial(rows.compare_and_delete, key, expected.payload, timezone.now())
            )
        remove = partial(rows.remove, key, own_key=self.has_own_keys)
        for _ in range(REMOVE_ATTEMPTS - 1):
            try:
                return remove()
            except OperationalError as error:
                if not rows.is_write_conflict(error):
                    raise
        return remove()

    def move(self, key: str, expected: Record | None, forward: str) -> bool:
        rows = self._written()
        if not rows.keeps_forwards():
            return self.remove(key, expected)
        with ends.telling(self.model, key, by=self._store):
            return rows.is_done(
                partial(rows.move, key, payload_of(expected), forward, timezone.now())
            )

    def drop_forward(self, key: str) -> None:
        # The model's manager hides it.
        self._written().stored(forwards.name(key)).delete()

    def _row(self, key: str, record: Record) -> Any:
        """Return the row to write: that of the record, or a new one for a record without."""
        row = getattr(record, "instance", None)
        if row is None:
            row = self.model(session_key=key, expire_date=record.expiry)
        # A storage around this one may change both.
        row.session_key, row.session_data = key, record.payload
        return row

    def _written(self) -> Rows:
        """Return the rows of the database to which sessions are written."""
        return rows_of(self.model, router.db_for_write(self.model))

    def count_forms(self, now: datetime) -> dict[str, int]:
        rows = self._written().live(now)
        hashed = rows.filter(session_key__startswith=_keys.HASHED).count()
        return {"plain": rows.count() - hashed, "hashed": hashed}

    # Listing and converting

    def names(self, batch: int, after: str = "") -> Iterator[list[str]]:
        return conversion.names(self._listed(), batch, after)

    def many(self, method: str, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        rows, found = self._written(), None
        if method == "read_whole" and rows.keeps_forwards():
            return together.read(rows, [key for (key,) in calls], timezone.now())
        if method == "holds":
            return together.held(self._listed(), [key for (key,) in calls])
        if isinstance(rows, PreparedRows) and self._store is None:
            if method == "replace":
                rewritten = [(key, self._row(key, new), payload_of(old)) for key, new, old in calls]
                found = together.write(rows, rows.replacement, rewritten)
            elif method == "remove":
                removed = [(key, payload_of(*old)) for key, *old in calls]
                found = together.write(rows, rows.removal, removed)
        return super().many(method, calls) if found is None else found

    def entries(self, batch: int) -> Iterator[Entries]:
        return conversion.entries(self._listed(), timezone.now(), batch)

    def _listed(self) -> Any:
        return manager_of(self.model).using(router.db_for_write(self.model)).all()

    def sample(self, size: int, random: Random) -> Sample:
        now, rows = timezone.now(), self._written()
        return sampling.sample(rows.live(now), self.count_forms(now), size, random)

    def rewrite(self, entry: Entry, payload: str) -> bool:
        rows = self._written()
        # Also the store that keeps copies: what it has is of the old form.
        with ends.telling(self.model, entry.name):
            return rows.is_done(partial(conversion.rewrite, rows, entry, payload, timezone.now()))

    # Clearing

    def purge(self, now: datetime, batch: int) -> int:
        return self.start_purge(now).remove(batch)

    def start_purge(self, now: datetime) -> Purge:
        from dj_sessions.base_session import BaseSessionManager, without_forwards

        manager = manager_of(self.model)
        rows = manager.using(router.db_for_write(self.model)).all()
        if not isinstance(manager, BaseSessionManager):
            rows = without_forwards(rows)
        return RowPurge(rows, now, delete_is_watched(self.model))


def _insert(rows: Rows, row: Any) -> bool:
    rows.insert(row)
    return True


def _replace(rows: Rows, *arguments: Any) -> bool:
    # Whatever rows these are: Rows.replace itself would pass by the prepared statements.
    return rows.replace(*arguments)


def places_to_read(model: Any) -> Iterator[str]:
    """Yield the databases to look for a session in, the one that is written to last."""
    read = router.db_for_read(model)
    yield read
    # A router may take the question for a write, and so is asked only after a miss.
    written = router.db_for_write(model)
    if written != read:
        yield written
