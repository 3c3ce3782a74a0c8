"""What happens to sessions, for whoever listens; without receivers it costs nothing.

Each signal is sent with the ``SessionStore`` class as ``sender`` and with ``public_id`` (str), the
session's ``public_id``: the key itself is told to nobody. Receivers are called in the request that
did it, after the store has it. What they raise is logged by ``django.dispatch`` and raised nowhere:
no session is lost by it. In async code they are reached by ``Signal.asend_robust()``.

https://docs.djangoproject.com/en/stable/topics/signals/
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from django.dispatch import Signal

__all__ = [
    "EndReason",
    "session_ended",
    "session_key_changed",
    "session_renewed",
    "session_started",
]


class EndReason(StrEnum):
    """Why a session has ended. One whose time is over ends unseen, and nobody is told."""

    #: ``flush()``, as by a logout.
    FLUSHED = "flushed"
    #: ``delete()``.
    DELETED = "deleted"


#: A session was stored for the first time.
session_started: Final = Signal()
#: A session was saved unchanged, so that it lives on from now: SESSION_SAVE_EVERY_REQUEST.
session_renewed: Final = Signal()
#: A session goes on under another key, as after a login: also ``old_public_id`` (str).
session_key_changed: Final = Signal()
#: A session was ended: also ``reason`` (EndReason).
session_ended: Final = Signal()
