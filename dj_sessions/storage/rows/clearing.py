"""Removing expired rows: in short transactions, in expiry order, past what others hold."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime
from typing import Any, Final, TypeAlias, cast

from django.db import DatabaseError, connections, transaction
from django.db.models import F, QuerySet

from dj_sessions.storage.clearing import Batch, Purge
from dj_sessions.storage.rows import windows
from dj_sessions.storage.rows.blocks import Walk, walk_of
from dj_sessions.storage.rows.deletes import delete_at_once, delete_bare
from dj_sessions.storage.rows.errors import may_pass
from dj_sessions.storage.rows.transactions import can_be_locked, has_outer_joins, is_inside
from dj_sessions.storage.rows.watchers import goes_alone
from dj_sessions.storage.rows.windows import Window

#: How often a batch is tried that others' transactions make fail.
ATTEMPTS: Final = 5

#: Seconds before the second attempt; the third waits twice as long, and so on.
RETRY_PAUSE: Final = 0.05

#: Seconds that SQLite's lock stays free after a batch, and how many more for each second that it
#: was held. Who waits for it looks again after 1, 2, 5, 10, 15, 20 and 25 ms: if the lock is free
#: for less than that, a save can miss every gap between two batches.
SQLITE_PAUSE: Final = 0.012
SQLITE_PAUSE_PER_SECOND: Final = 0.35

#: Seconds that a batch should take: as long as it runs, nobody else writes to SQLite's file.
SQLITE_SECONDS: Final = 0.04
SERVER_SECONDS: Final = 0.2

#: Rows that a batch of no chosen size removes, however slow or fast the database.
SMALLEST_BATCH: Final = 50
LARGEST_BATCH: Final = 50_000
#: Where each of the rows is named by its key.
LARGEST_BY_NAME: Final = 5_000

#: The keys and dates of rows to remove.
_Found: TypeAlias = list[tuple[Any, datetime]]


class RowPurge(Purge):
    """The run over the rows of ``rows`` whose ``expire_date`` is before ``now``.

    ``watched`` tells that somebody must see each row go. The DELETE then is the ORM's, else a
    bare statement. Either is sure of what it deletes: it locks the rows, or says again that they
    have expired.
    """

    def __init__(self, rows: QuerySet[Any], now: datetime, watched: bool) -> None:
        self._rows = rows
        self._expired = rows.filter(expire_date__lt=now)
        self._using = rows.db
        self._connection = connections[rows.db]
        is_plain = type(rows).delete is QuerySet.delete
        self._bare = not watched and is_plain and goes_alone(rows.model)
        self._since: datetime | None = None
        self._last: list[Any] = []
        self._window: Window | None = None
        self._walk: Walk | None = None
        self._is_walk_chosen = False

    def step(self, size: int) -> Batch:
        return self._retried(self._way(), size)

    def _way(self) -> Callable[[int], Batch]:
        features = self._connection.features
        if (
            features.has_select_for_update
            and features.supports_select_for_update_with_limit
            and can_be_locked(self._expired)
            and not has_outer_joins(self._expired)
        ):
            if not self._may_give_up():
                return self._remove_locked
            if self._connection.vendor == "mysql":
                return self._remove_clustered
            return self._remove_walking if self._walks() else self._remove_range
        if self._bare and features.allow_sliced_subqueries_with_in:
            return self._remove_in_one_statement
        return self._remove_touched

    def _may_give_up(self) -> bool:
        """Return whether a DELETE may be told not to wait: nothing else of a transaction may be."""
        is_mariadb = getattr(self._connection, "mysql_is_mariadb", False)
        knows = self._connection.vendor == "postgresql" or is_mariadb
        return self._bare and knows and not self._is_inside()

    def _walks(self, *, in_any_order: bool = False) -> bool:
        """Return whether the rows are removed as they lie on the disk: then batches vary.

        It is not asked before the second batch, for which there is none in most runs.
        """
        asks = in_any_order or not self._is_walk_chosen
        if asks and self._walk is None and self.is_free and self._since is not None:
            self._is_walk_chosen = True
            connection = self._connection
            self._walk = walk_of(self._expired, connection, in_any_order=in_any_order)
        return self._walk is not None

    def _remove_walking(self, size: int) -> Batch:
        walk = cast("Walk", self._walk)
        rows = walk.next(size)
        try:
            removed = delete_at_once(rows)
        except DatabaseError as error:
            if not may_pass(error):
                raise
            removed, _ = self._delete_unheld(rows)
        return Batch(removed, more=walk.goes_on)

    def _remove_range(self, size: int) -> Batch:
        """Remove the rows up to a date, which takes half the time of naming each."""
        rows, end = self._up_to_a_date(size)
        if end is not None and end == self._since:  # more than a batch of one date
            return self._remove_locked(size)
        try:
            removed = delete_at_once(rows)
        except DatabaseError as error:
            if not may_pass(error):
                raise
            if self._walks(in_any_order=True):  # another run may be here: away from it
                return self._remove_walking(size)
            return self._remove_locked(size)  # past the rows that others hold
        self._since = end
        return Batch(removed, more=end is not None)

    def _remove_clustered(self, size: int) -> Batch:
        """Remove the next rows of a window as they lie in the table, which is by their keys."""
        if self._window is None or not self._window.goes_on:
            rows, end = self._up_to_a_date(min(windows.ROWS, self.left or windows.ROWS))
            if end is not None and end == self._since:  # more than a window of one date
                return self._remove_locked(size)
            self._window, self._since = Window(self._rows, self._expired, rows), end
        removed = self._window.remove(size)
        return Batch(removed, more=self._window.goes_on or self._since is not None)

    def _up_to_a_date(self, size: int) -> tuple[QuerySet[Any], datetime | None]:
        """Return the next rows, ``size`` of them and no more, and the date of the one after."""
        rows = self._from_last(self._expired)
        dates = rows.order_by("expire_date").values_list("expire_date", flat=True)
        end = next(iter(dates[size : size + 1]), None)
        return (rows if end is None else rows.filter(expire_date__lt=end)), end

    def _remove_locked(self, size: int) -> Batch:
        rows = self._from_last(self._expired).order_by("expire_date")
        removed, found = self._delete_unheld(rows, size)
        return self._batch(removed, found, size)

    def _delete_unheld(self, rows: QuerySet[Any], size: int | None = None) -> tuple[int, _Found]:
        """Delete those of the rows that nobody holds; return how many, and which were found."""
        skips = self._connection.features.has_select_for_update_skip_locked
        with transaction.atomic(using=self._using):
            free = rows.select_for_update(skip_locked=skips)
            found = list(free.values_list("pk", "expire_date")[:size])
            return self._delete(found), found

    def _remove_in_one_statement(self, size: int) -> Batch:
        first = self._expired.order_by("expire_date").values("pk")[:size]
        # One statement needs no transaction; inside somebody else's its failure needs a savepoint.
        with transaction.atomic(using=self._using) if self._is_inside() else nullcontext():
            removed = delete_bare(self._expired.filter(pk__in=first))
        return Batch(removed, more=removed >= size)

    def _remove_touched(self, size: int) -> Batch:
        rows = self._from_last(self._expired).order_by("expire_date")
        found = list(rows.values_list("pk", "expire_date")[:size])
        if not found:
            return Batch(0, more=False)
        with transaction.atomic(using=self._using):
            # An update that changes nothing locks on every database, and SQLite's write lock
            # must be taken by the first statement to be waited for.
            removed = self._named(found).update(expire_date=F("expire_date"))
            self._delete(found)
        return self._batch(removed, found, size)

    def _from_last(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return ``rows`` from where the last batch ended.

        A database may find removed rows again and again until it tidies up, which makes the
        last of many batches far slower than the first.
        """
        return rows if self._since is None else rows.filter(expire_date__gte=self._since)

    def _named(self, found: _Found) -> QuerySet[Any]:
        return self._expired.filter(pk__in=[key for key, _ in found])

    def _delete(self, found: _Found) -> int:
        if not found:
            return 0
        if self._bare:
            return delete_bare(self._named(found))
        self._named(found).delete()
        return len(found)

    def _batch(self, removed: int, found: _Found, size: int) -> Batch:
        keys = [key for key, _ in found]
        if keys and keys == self._last:
            raise RuntimeError(
                f"{self._expired.model._meta.label} still has rows that were deleted. If its query "
                "set only marks them, its manager must leave out the marked rows."
            )
        if found:
            self._last, self._since = keys, found[-1][1]
        return Batch(removed, more=len(found) >= size)

    def _retried(self, remove: Callable[[int], Batch], size: int) -> Batch:
        for attempt in range(1, ATTEMPTS):
            try:
                return remove(size)
            except DatabaseError as error:
                if self._is_inside() or not may_pass(error):
                    raise
                time.sleep(RETRY_PAUSE * attempt)
        return remove(size)

    def _is_inside(self) -> bool:
        """Return whether somebody else's transaction is open."""
        return is_inside(self._connection)

    def next_size(self, size: int, taken: float) -> int:
        if not self._bare:  # each row becomes an object, and is seen by others
            return size
        suits = SQLITE_SECONDS if self._connection.vendor == "sqlite" else SERVER_SECONDS
        if taken > suits:
            return max(size // 2, SMALLEST_BATCH)
        largest = LARGEST_BY_NAME if self._connection.vendor == "mysql" else LARGEST_BATCH
        return min(size * 4, largest) if taken < suits / 4 else size

    def pause(self, taken: float) -> float:
        # One lock for the whole file, for which nobody can queue. Inside somebody else's
        # transaction it stays held anyway.
        if self._connection.vendor != "sqlite" or self._is_inside():
            return 0.0
        return SQLITE_PAUSE + SQLITE_PAUSE_PER_SECOND * taken

    def count(self) -> int:
        return self._expired.count()

    def total(self) -> int:
        return self.count()
