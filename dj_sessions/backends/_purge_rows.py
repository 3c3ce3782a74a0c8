"""Removing expired rows: in short transactions, in expiry order, past what others hold."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime
from typing import Any, Final

from django.db import DatabaseError, connections, transaction
from django.db.models import DO_NOTHING, F, QuerySet

from dj_sessions.backends._purge import Batch, Purge

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
#: MariaDB makes a subquery of a longer list.
LARGEST_BY_NAME: Final = 999

#: Keys held in memory while their rows are removed as they lie in the table.
WINDOW: Final = 200_000

#: Milliseconds that PostgreSQL waits for a row that others hold, before it is left out.
LOCK_WAIT: Final = 20

#: PostgreSQL: serialization failure, deadlock, lock not available.
_SQLSTATES: Final = {"40001", "40P01", "55P03"}
#: MariaDB and MySQL: record has changed, lock wait timeout, deadlock.
_ERROR_NUMBERS: Final = {1020, 1205, 1213}
_SQLITE_ERRORS: Final = ("SQLITE_BUSY", "SQLITE_LOCKED")


class RowPurge(Purge):
    """The run over the rows of ``rows`` whose ``expire_date`` is before ``now``.

    ``watched`` tells that somebody must see each row go. The DELETE then is the ORM's, else a
    bare statement. Either is sure of what it deletes: it locks the rows, or says again that they
    have expired.
    """

    def __init__(self, rows: QuerySet[Any], now: datetime, watched: bool) -> None:
        self._expired = rows.filter(expire_date__lt=now)
        self._using = rows.db
        self._connection = connections[rows.db]
        self._bare = not watched and _goes_alone(rows)
        self._since: datetime | None = None
        self._last: list[Any] = []
        self._window: list[Any] = []
        self._is_last = False

    def step(self, size: int) -> Batch:
        return self._retried(self._way(), size)

    def _way(self) -> Callable[[int], Batch]:
        features, query = self._connection.features, self._expired.query
        if (
            features.has_select_for_update
            and features.supports_select_for_update_with_limit
            and not (query.distinct or query.combinator or query.group_by is not None)
        ):
            if not self._may_give_up():
                return self._remove_locked
            is_clustered = self._connection.vendor == "mysql"
            return self._remove_clustered if is_clustered else self._remove_range
        if self._bare and features.allow_sliced_subqueries_with_in:
            return self._remove_in_one_statement
        return self._remove_touched

    def _may_give_up(self) -> bool:
        """Tell whether a DELETE may be told not to wait: nothing else of a transaction may be."""
        is_mariadb = getattr(self._connection, "mysql_is_mariadb", False)
        knows = self._connection.vendor == "postgresql" or is_mariadb
        return self._bare and knows and not self._is_inside()

    def _remove_range(self, size: int) -> Batch:
        """Remove the rows up to a date, which takes half the time of naming each."""
        rows, end = self._up_to_a_date(size)
        if end is not None and end == self._since:  # more than a batch of one date
            return self._remove_locked(size)
        try:
            removed = self._delete_at_once(rows)
        except DatabaseError as error:
            if not _may_pass(error):
                raise
            return self._remove_locked(size)  # past the rows that others hold
        self._since = end
        return Batch(removed, more=end is not None)

    def _remove_clustered(self, size: int) -> Batch:
        """Remove the next rows of a window as they lie in the table, which is by their keys.

        In the order of expiry each row is on another page, which has to be read for it alone.
        """
        if not self._window:
            rows, end = self._up_to_a_date(min(WINDOW, self.left or WINDOW))
            if end is not None and end == self._since:
                return self._remove_locked(size)
            self._window = sorted(rows.values_list("pk", flat=True), reverse=True)
            self._since, self._is_last = end, end is None
        keys = self._window[-size:]
        removed = self._delete_at_once_or_skip(keys) if keys else 0
        del self._window[-size:]
        return Batch(removed, more=bool(self._window) or not self._is_last)

    def _delete_at_once_or_skip(self, keys: list[Any]) -> int:
        rows = self._expired.filter(pk__in=keys)
        try:
            return self._delete_at_once(rows)
        except DatabaseError as error:
            if not _may_pass(error):
                raise
        with transaction.atomic(using=self._using):
            free = list(rows.select_for_update(skip_locked=True).values_list("pk", flat=True))
            # One by one: for a list, a small table is scanned, and held rows are waited for.
            return sum(_delete_bare(self._expired.filter(pk=key)) for key in free)

    def _up_to_a_date(self, size: int) -> tuple[QuerySet[Any], datetime | None]:
        """Return the next rows, ``size`` of them and no more, and the date of the one after."""
        rows = self._from_last(self._expired)
        dates = rows.order_by("expire_date").values_list("expire_date", flat=True)
        end = next(iter(dates[size : size + 1]), None)
        return (rows if end is None else rows.filter(expire_date__lt=end)), end

    def _delete_at_once(self, rows: QuerySet[Any]) -> int:
        """Delete ``rows``; raises DatabaseError at once if others hold one of them."""
        if self._connection.vendor == "postgresql":
            with transaction.atomic(using=self._using), self._connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = {LOCK_WAIT}")
                return _delete_bare(rows)
        with self._connection.execute_wrapper(_without_waiting):
            return _delete_bare(rows)

    def _remove_locked(self, size: int) -> Batch:
        skips = self._connection.features.has_select_for_update_skip_locked
        with transaction.atomic(using=self._using):
            found = self._next(self._expired.select_for_update(skip_locked=skips), size)
            removed = self._delete(found)
        return self._batch(removed, found, size)

    def _remove_in_one_statement(self, size: int) -> Batch:
        first = self._expired.order_by("expire_date").values("pk")[:size]
        # One statement needs no transaction; inside somebody else's its failure needs a savepoint.
        with transaction.atomic(using=self._using) if self._is_inside() else nullcontext():
            removed = _delete_bare(self._expired.filter(pk__in=first))
        return Batch(removed, more=removed >= size)

    def _remove_touched(self, size: int) -> Batch:
        found = self._next(self._expired, size)
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

    def _next(self, rows: QuerySet[Any], size: int) -> list[tuple[Any, datetime]]:
        """Return the keys and dates of the rows to remove."""
        ordered = self._from_last(rows).order_by("expire_date")
        return list(ordered.values_list("pk", "expire_date")[:size])

    def _named(self, found: list[tuple[Any, datetime]]) -> QuerySet[Any]:
        return self._expired.filter(pk__in=[key for key, _ in found])

    def _delete(self, found: list[tuple[Any, datetime]]) -> int:
        if not found:
            return 0
        if self._bare:
            return _delete_bare(self._named(found))
        self._named(found).delete()
        return len(found)

    def _batch(self, removed: int, found: list[tuple[Any, datetime]], size: int) -> Batch:
        keys = [key for key, _ in found]
        if keys and keys == self._last:
            raise RuntimeError(
                f"{self._expired.model._meta.label} keeps rows that were deleted. If its query "
                "set only marks them, have its manager leave out what is marked."
            )
        if found:
            self._last, self._since = keys, found[-1][1]
        return Batch(removed, more=len(found) >= size)

    def _retried(self, remove: Callable[[int], Batch], size: int) -> Batch:
        for attempt in range(1, ATTEMPTS):
            try:
                return remove(size)
            except DatabaseError as error:
                if self._is_inside() or not _may_pass(error):
                    raise
                time.sleep(RETRY_PAUSE * attempt)
        return remove(size)

    def _is_inside(self) -> bool:
        """Tell whether somebody else's transaction is open."""
        return self._connection.in_atomic_block

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


def _delete_bare(rows: QuerySet[Any]) -> int:
    """Send the DELETE alone; the ORM's looks for relations first and adds a transaction."""
    return rows._raw_delete(rows.db)


def _without_waiting(execute: Any, sql: str, *rest: Any) -> Any:
    """Send a statement that MariaDB gives up at once if others hold a row of it."""
    return execute(f"SET STATEMENT innodb_lock_wait_timeout=0 FOR {sql}", *rest)


def _goes_alone(rows: QuerySet[Any]) -> bool:
    """Tell whether a DELETE of the row is all that its end takes."""
    options = rows.model._meta
    relations = (
        field
        for field in options.get_fields(include_hidden=True)
        if field.auto_created and not field.concrete and (field.one_to_one or field.one_to_many)
    )
    return (
        type(rows).delete is QuerySet.delete
        and not options.concrete_model._meta.parents
        and all(relation.field.remote_field.on_delete is DO_NOTHING for relation in relations)
        and not any(hasattr(field, "bulk_related_objects") for field in options.private_fields)
    )


def _may_pass(error: DatabaseError) -> bool:
    """Tell whether others' transactions made it fail, so that it may work the next time."""
    cause = error.__cause__
    sqlite = getattr(cause, "sqlite_errorname", None) or ""
    return (
        getattr(cause, "sqlstate", None) in _SQLSTATES  # psycopg
        or getattr(cause, "pgcode", None) in _SQLSTATES  # psycopg2
        or error.args[:1] in [(number,) for number in _ERROR_NUMBERS]
        or sqlite.startswith(_SQLITE_ERRORS)
    )
