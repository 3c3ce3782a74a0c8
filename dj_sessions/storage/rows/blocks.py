"""Expired rows of PostgreSQL that lie in no order: removed block after block of the table.

In the order of expiry each batch would read most of the table for its rows, which are anywhere.
"""

from __future__ import annotations

import secrets
from itertools import pairwise
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet

from dj_sessions.storage.rows.transactions import is_of_one_table

#: Rows that are looked at to tell in which order the table has them.
SAMPLE: Final = 1000
#: From one row to the next, no more blocks than so many are no leap.
NEAR: Final = 16
#: A read of blocks in their order is worth so many of blocks here and there.
WORTH: Final = 4
#: Rows that a block is taken to have; how long a batch takes tells the rest.
ROWS_OF_BLOCK: Final = 16

#: The blocks of a table that has any: a view has none, and other kinds of storage other blocks.
BLOCKS: Final = """
    SELECT pg_relation_size(c.oid) / current_setting('block_size')::int
    FROM pg_class c JOIN pg_am a ON a.oid = c.relam
    WHERE c.oid = %s::regclass AND c.relkind = 'r' AND a.amname = 'heap'
"""


class Walk:
    """A way through all blocks of a table, from any of them on, so that two runs share the work."""

    def __init__(self, rows: QuerySet[Any], blocks: int) -> None:
        self._rows = rows
        start = secrets.randbelow(blocks)
        self._ways = [range(blocks)[start:], range(blocks)[:start]]

    def next(self, size: int) -> QuerySet[Any]:
        """Return the rows of the next blocks, which should be about ``size``."""
        way, *other = self._ways
        number = max(1, size // ROWS_OF_BLOCK)
        taken = way[:number]
        self._ways = [rest for rest in (way[number:], *other) if rest]
        places = [f"({taken.start},0)", f"({taken.stop},0)"]
        return self._rows.extra(where=["ctid >= %s::tid", "ctid < %s::tid"], params=places)

    @property
    def goes_on(self) -> bool:
        """Whether there are further blocks."""
        return bool(self._ways)


def walk_of(
    expired: QuerySet[Any], connection: BaseDatabaseWrapper, *, in_any_order: bool
) -> Walk | None:
    """Return a walk through the table; None where rows are better removed by their expiry.

    So they are where they lie in that order, unless it shall be ``in_any_order``.
    """
    if connection.vendor != "postgresql" or not is_of_one_table(expired):
        return None
    with connection.cursor() as cursor:
        table = connection.ops.quote_name(expired.model._meta.db_table)
        cursor.execute(BLOCKS, [table])
        blocks = (cursor.fetchone() or (0,))[0]
    ordered = expired.order_by("expire_date")
    enough = blocks // WORTH
    if not blocks or not ordered.values_list("expire_date")[enough : enough + 1]:
        return None
    if in_any_order:
        return Walk(expired, blocks)
    places = ordered.extra(select={"place": "ctid::text"}).values_list("place", flat=True)
    leaps = _leaps([_block_of(place) for place in places[:SAMPLE]])
    return Walk(expired, blocks) if leaps else None


def _block_of(place: str) -> int:
    return int(place.strip("()").partition(",")[0])


def _leaps(blocks: list[int]) -> bool:
    """Return whether one row in four, or more, is far from the one before."""
    leaps = sum(abs(later - earlier) > NEAR for earlier, later in pairwise(blocks))
    return 4 * leaps > len(blocks)
