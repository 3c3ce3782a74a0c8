"""Expired rows of MariaDB, whose tables lie in the order of their keys: a window of them at a time.

In the order of expiry each row is on another page, which has to be read for it alone.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import DatabaseError
from django.db.models import QuerySet

from dj_sessions.storage.rows.deletes import delete_at_once
from dj_sessions.storage.rows.errors import is_held, may_pass

#: Rows of a window. Of more, the part of the index by date that they take would not stay in the
#: memory of a server as it is installed.
ROWS: Final = 1_000_000
#: How many of their keys are held in memory.
KEYS: Final = 20_000


class Window:
    """Some of the rows that have ``expired``, those of ``window``, removed in the order of keys.

    ``rows`` are all rows of the table, also those that are live.
    """

    def __init__(self, rows: QuerySet[Any], expired: QuerySet[Any], window: QuerySet[Any]) -> None:
        self._rows = rows
        self._expired = expired
        self._window = window
        self._unread: QuerySet[Any] | None = window
        self._keys: list[Any] = []
        self._is_dense = False

    @property
    def goes_on(self) -> bool:
        """Whether there may be further rows."""
        return bool(self._keys) or self._unread is not None

    def remove(self, size: int) -> int:
        """Remove the next rows, ``size`` of them; return how many, as others may hold some."""
        if not self._keys and self._unread is not None:
            self._read_keys(self._unread)
        keys = self._keys[:size]
        removed = self._delete_unheld(keys) if keys else 0
        del self._keys[:size]
        return removed

    def _read_keys(self, unread: QuerySet[Any]) -> None:
        keys = list(unread.order_by("pk").values_list("pk", flat=True)[:KEYS])
        self._unread = self._window.filter(pk__gt=keys[-1]) if len(keys) == KEYS else None
        self._keys, self._is_dense = keys, bool(keys) and self._lie_together(keys)

    def _lie_together(self, keys: list[Any]) -> bool:
        """Return whether half of the rows from the first key to the last are to go, or more."""
        between = self._rows.filter(pk__gt=keys[0], pk__lt=keys[-1]).order_by("pk")
        enough = 2 * len(keys)
        return not between.values_list("pk", flat=True)[enough : enough + 1]

    def _delete_unheld(self, keys: list[Any]) -> int:
        """Delete rows, except those that others hold: half of them at a time, until it is one.

        A small table may be scanned for any number of rows, so only one tells which is held.
        """
        if self._is_dense and len(keys) > 1:  # naming each takes nearly twice as long
            rows = self._window.filter(pk__gte=keys[0], pk__lte=keys[-1])
        else:
            rows = self._expired.filter(pk__in=keys)
        try:
            return delete_at_once(rows)
        except DatabaseError as error:
            if len(keys) == 1 and is_held(error):
                return 0
            if len(keys) == 1 or not may_pass(error):
                raise
        half = len(keys) // 2
        return sum(map(self._delete_unheld, (keys[:half], keys[half:])))
