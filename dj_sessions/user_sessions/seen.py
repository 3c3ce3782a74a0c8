"""When this process has last told the list of which session, so that it asks no database."""

from __future__ import annotations

from typing import Final

from django.utils import timezone

from dj_sessions.user_sessions.conf import conf

#: More are forgotten: each of them costs one statement at its next use.
LARGEST: Final = 20_000

_told: dict[tuple[str, str], float] = {}


def is_due(public_id: str, owner: str) -> bool:
    """Return whether the list is to be told that a session is in use."""
    told = _told.get((public_id, owner))
    return told is None or _now() - told >= conf.SESSION_SEEN_AFTER


def remember(public_id: str, owner: str) -> None:
    """Take note that the list has just been told."""
    if len(_told) >= LARGEST:
        _told.clear()
    _told[public_id, owner] = _now()


def forget() -> None:
    """Forget everything, as a new process has."""
    _told.clear()


def _now() -> float:
    return timezone.now().timestamp()
