"""Rows whose key changes its form: found under both forms, and renamed in one step."""

from __future__ import annotations

from datetime import datetime
from itertools import chain
from typing import Any

from django.db import connections, transaction
from django.db.models import Model

from dj_sessions._codec import forwards
from dj_sessions.storage.rows.comparable import is_same, update
from dj_sessions.storage.rows.orm import Rows
from dj_sessions.storage.rows.record import RowRecord, loaded_from
from dj_sessions.storage.rows.transactions import savepoint
from dj_sessions.storage.rows.watchers import columns, has_parents, pointing_at, save_watchers


def can_be_renamed(model: type[Model]) -> bool:
    """Return whether nothing else in the database has the key of a row."""
    if has_parents(model):
        return False
    return all(each.field.target_field.name != "session_key" for each in pointing_at(model))


def find_renamed(
    rows: Rows, key: str, new: str, now: datetime, *, lock: bool
) -> tuple[str, RowRecord] | None:
    """Return the record of a session or forward under ``key`` or ``new``, and under which.

    With ``lock``, as the last save left it.
    """
    if not rows.keeps_forwards():
        for name in (key, new, key):
            row = rows.instance(name, now, lock=lock)
            if row is not None:
                return name, RowRecord(row.session_data, row.expire_date, instance=row)
        return None
    places = {name: (name, forwards.name(name)) for name in (key, new)}
    found = rows.live_or_forward(list(chain(*places.values())), now, lock=lock)
    for name, names in places.items():
        for each in names:
            record = loaded_from(found.get(each))
            if record is not None:
                return name, record
    return None


def rename(rows: Rows, key: str, instance: Any, expected: str | None, now: datetime) -> bool:
    """Have ``instance`` take the place of the row under ``key`` that has the payload ``expected``.

    With None: whatever it has, if its session is live at ``now``. Raises IntegrityError if the key
    of ``instance`` is taken.
    """
    model, new = type(instance), instance.session_key
    same = rows.comparing(key, expected, now)
    if same is not None and not save_watchers(model):
        with savepoint(connections[rows.using]):
            return update(same, **columns(instance) | {"session_key": new}) > 0
    with transaction.atomic(using=rows.using):
        if not is_same(rows.hold(key), expected, now):
            return False
        update(rows.stored(key), session_key=new)
        # Whoever watches sees what they see of any other save.
        return rows.replace(new, instance, expected, now)
