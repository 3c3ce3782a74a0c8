"""The one place that tells what happens to sessions: see ``dj_sessions.signals``."""

from __future__ import annotations

from typing import Any

from django.dispatch import Signal

from dj_sessions import _keys
from dj_sessions._metrics.instruments import ENDED, KEY_CHANGES, KEYS_REFUSED, RENEWED, STARTED
from dj_sessions._metrics.recording import engine_of, record, recorders
from dj_sessions._session.modes import Mode
from dj_sessions._session.registries import registries
from dj_sessions.signals import (
    EndReason,
    RefusalReason,
    session_ended,
    session_key_changed,
    session_key_refused,
    session_renewed,
    session_started,
)


async def started(mode: Mode, session: Any, key: str) -> None:
    """Tell that a session was stored under a new key."""
    if recorders:
        record(STARTED, 1, engine_of(session))
    await _tell(mode, session_started, session, key)


async def renewed(mode: Mode, session: Any, key: str) -> None:
    """Tell that a session was saved unchanged."""
    if recorders:
        record(RENEWED, 1, engine_of(session))
    await _tell(mode, session_renewed, session, key)


async def key_changed(mode: Mode, session: Any, old: str, key: str) -> None:
    """Tell that a session goes on under another key."""
    if recorders:
        record(KEY_CHANGES, 1, engine_of(session))
    for registry in registries:
        await registry.key_changed(mode, session, _keys.public_id(old), _keys.public_id(key))
    await _tell(mode, session_key_changed, session, key, old)


async def ended(mode: Mode, session: Any, key: str, reason: EndReason) -> None:
    """Tell that a session was ended, and why."""
    if recorders:
        record(ENDED, 1, engine_of(session), reason.value)
    for registry in registries:
        await registry.ended(mode, session, _keys.public_id(key), reason)
    await _tell(mode, session_ended, session, key, reason=reason)


async def key_refused(mode: Mode, session: Any, key: str, reason: RefusalReason) -> None:
    """Tell that there is no session under the key that a request has brought."""
    if recorders:
        record(KEYS_REFUSED, 1, reason.value)
    await _tell(mode, session_key_refused, session, key, reason=reason)


async def _tell(
    mode: Mode, signal: Signal, session: Any, key: str, old: str | None = None, **facts: Any
) -> None:
    # What a receiver raises is Django's to log: no session is lost by it.
    if signal.receivers:  # else nothing is computed, either
        facts["public_id"] = _keys.public_id(key)
        if old is not None:
            facts["old_public_id"] = _keys.public_id(old)
        await mode(signal.send_robust, signal.asend_robust, sender=type(session), **facts)
