"""Sessions as rows of a model, on the databases that the site's routers name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import datetime
from functools import partial
from typing import Any, Final

from django.db import IntegrityError, OperationalError, connections, router
from django.utils import timezone

from dj_sessions.storage.base import Record, Storage, payload_of
from dj_sessions.storage.clearing import Purge
from dj_sessions.storage.rows import ends
from dj_sessions.storage.rows.clearing import RowPurge
from dj_sessions.storage.rows.orm import RowRecord, Rows, manager_of, named
from dj_sessions.storage.rows.prepared import rows_of
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

_UNHEARD: Final = nullcontext()


class RowStorage(Storage):
    """The rows of ``model``; a record that is written brings the instance that is its row.

    ``has_own_keys`` says that session keys may differ in their case alone, which MariaDB takes for
    the same. Those who keep copies of rows are told of ends and of saves, except for the methods of
    ``store``, a class that keeps copies itself and looks after its own saves.
    """

    atomic_replace = True

    def __init__(
        self, model: Any, *, has_own_keys: bool = False, store: type | None = None
    ) -> None:
        self.model = model
        self.has_own_keys = has_own_keys
        self._store = store

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

    def read_latest(self, key: str) -> Record | None:
        # Inside a transaction, which may show an old row, the row is locked to be read.
        rows = self._written()
        return rows.find(key, timezone.now(), lock=is_inside(connections[rows.using]))

    def holds(self, key: str) -> bool:
        return named(manager_of(self.model).all(), key).exists()

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

    def insert(self, key: str, record: RowRecord) -> bool:
        record.instance.session_data = record.payload  # which a storage around this one may change
        using = router.db_for_write(self.model, instance=record.instance)
        rows = rows_of(self.model, using)
        try:
            rows.insert(record.instance)
        except IntegrityError:
            if rows.is_taken(key):
                return False
            raise
        self.commit = commit_of(using)
        if self._store is None and self.commit is not None:
            # Nobody shall copy it before it is committed.
            ends.tell(self.model, key)
            self.commit.then(partial(ends.tell, self.model, key))
        return True

    def replace(self, key: str, record: RowRecord, expected: Record | None) -> bool:
        record.instance.session_data = record.payload
        using = router.db_for_write(self.model, instance=record.instance)
        rows = rows_of(self.model, using)
        heard = ends.audiences and self._store is None
        try:
            with ends.telling(self.model, key) if heard else _UNHEARD:
                replaced = rows.replace(key, record.instance, payload_of(expected), timezone.now())
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

    def _written(self) -> Rows:
        """Return the rows of the database to which sessions are written."""
        return rows_of(self.model, router.db_for_write(self.model))

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


def places_to_read(model: Any) -> Iterator[str]:
    """Yield the databases to look for a session in, the one that is written to last."""
    read = router.db_for_read(model)
    yield read
    # A router may take the question for a write, and so is asked only after a miss.
    written = router.db_for_write(model)
    if written != read:
        yield written
