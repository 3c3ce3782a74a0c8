"""A record that comes from a row, or is to be one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dj_sessions._codec import forwards
from dj_sessions.storage.base import Record


@dataclass(frozen=True, slots=True)
class RowRecord(Record):
    """A record with the model instance that is its row."""

    instance: Any = None


def loaded_from(row: Any) -> RowRecord | None:
    """Return the record of a row, None of none."""
    if not row:
        return None
    payload = row.session_data
    return RowRecord(payload, row.expire_date, forward=forwards.found_in(payload), instance=row)
