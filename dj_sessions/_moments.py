"""Seconds since the epoch, as what is stored has times, to times as the site has them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload

from dj_sessions.conf import conf


@overload
def moment(seconds: float) -> datetime: ...


@overload
def moment(seconds: None) -> None: ...


def moment(seconds: float | None) -> datetime | None:
    """Return a time with a zone where USE_TZ says so, else in the server's; None of none."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC if conf.USE_TZ else None)
