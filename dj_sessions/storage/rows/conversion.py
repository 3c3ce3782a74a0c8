"""Listing the rows of sessions, and writing them in another form: no save, and nobody's use.

Each batch is a query of its own, which begins behind the last key: it reads no row twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from dj_sessions._codec import forwards
from dj_sessions.storage.base import Entries, Entry, Record
from dj_sessions.storage.rows.comparable import is_same, update
from dj_sessions.storage.rows.orm import Rows


def names(rows: QuerySet[Any], batch: int, after: str = "") -> Iterator[list[str]]:
    """Yield the keys of the rows, in their order, from behind ``after``."""
    keys = rows.order_by("session_key").values_list("session_key", flat=True)
    last = after or None
    while found := list(_after(keys, last)[:batch]):
        yield [key for key in found if not forwards.is_name(key)]
        last = found[-1]


def entries(rows: QuerySet[Any], now: datetime, batch: int) -> Iterator[Entries]:
    """Yield the sessions that have not expired at ``now``, in the order of their keys."""
    live = rows.filter(expire_date__gt=now).order_by("session_key")
    last = None
    while found := list(_after(live, last).values_list("session_key", "session_data")[:batch]):
        yield [
            Entry(key, Record(payload))
            for key, payload in found
            if forwards.found_in(payload) is None
        ]
        last = found[-1][0]


def _after(rows: QuerySet[Any], key: str | None) -> QuerySet[Any]:
    return rows if key is None else rows.filter(session_key__gt=key)


def rewrite(rows: Rows, entry: Entry, payload: str, now: datetime) -> bool:
    """Write ``payload`` into the row of ``entry``, if that is as it was; no signal is sent."""
    key, expected = entry.name, entry.record.payload
    same = rows.comparing(key, expected, now)
    if same is not None:
        return update(same, session_data=payload) > 0
    with transaction.atomic(using=rows.using):
        if not is_same(rows.hold(key), expected, now):
            return False
        update(rows.stored(key), session_data=payload)
        return True
