"""The one place that tells what happens to sessions: see ``dj_sessions.signals``."""

from __future__ import annotations

from typing import Any

from django.dispatch import Signal

from dj_sessions import _keys
from dj_sessions._session.modes import Mode
from dj_sessions.signals import (
    EndReason,
    session_ended,
    session_key_changed,
    session_renewed,
    session_started,
)


async def started(mode: Mode, session: Any, key: str) -> None:
    """Tell that a session was stored under a new key."""
    await _tell(mode, session_started, session, key)


async def renewed(mode: Mode, session: Any, key: str) -> None:
    """Tell that a session was saved unchanged."""
    await _tell(mode, session_renewed, session, key)


async def key_changed(mode: Mode, session: Any, old: str, key: str) -> None:
    """Tell that a session goes on under another key."""
    await _tell(mode, session_key_changed, session, key, old_public_id=_keys.public_id(old))


async def ended(mode: Mode, session: Any, key: str, reason: EndReason) -> None:
    """Tell that a session was ended, and why."""
    await _tell(mode, session_ended, session, key, reason=reason)


async def _tell(mode: Mode, signal: Signal, session: Any, key: str, **facts: Any) -> None:
    # What a receiver raises is Django's to log: no session is lost by it.
    if signal.receivers:
        sender, facts = type(session), {"public_id": _keys.public_id(key), **facts}
        await mode(signal.send_robust, signal.asend_robust, sender=sender, **facts)
