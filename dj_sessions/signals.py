"""Signals that tell what happens to sessions. Without receivers they cost nothing.

The ``sender`` of each signal is the ``SessionStore`` class. ``public_id`` (str) is that of the
session; no signal contains the key itself. Receivers run in the request that made the change, after
the store has saved it. ``django.dispatch`` logs what a receiver raises, and the request goes on: no
session is lost. Async code sends with ``Signal.asend_robust()``.

https://docs.djangoproject.com/en/stable/topics/signals/
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from django.dispatch import Signal

__all__ = [
    "EndReason",
    "RefusalReason",
    "new_device",
    "relogin_asked",
    "session_ended",
    "session_key_changed",
    "session_key_refused",
    "session_refused",
    "session_renewed",
    "session_started",
]


class EndReason(StrEnum):
    """Why a session was ended. No signal is sent for a session that expires."""

    #: By ``flush()``, as in a logout.
    FLUSHED = "flushed"
    #: By ``delete()``.
    DELETED = "deleted"
    #: From the list of a user's sessions.
    ENDED = "ended"
    #: As the user had more sessions than ``SESSION_LIMIT_PER_USER`` allows.
    LIMIT = "limit"
    #: As the user's password has changed.
    PASSWORD_CHANGED = "password-changed"  # noqa: S105
    #: As the user is no longer active.
    DEACTIVATED = "deactivated"
    #: As the user was deleted.
    USER_DELETED = "user-deleted"
    #: As the user's groups or permissions have changed.
    PERMISSIONS_CHANGED = "permissions-changed"
    #: Only in the list: it has expired, or its store has lost it. No signal is sent.
    GONE = "gone"


class RefusalReason(StrEnum):
    """Why there is no session under the key that a request has brought."""

    #: Nothing is stored under it: it is made up, or its session has expired or was ended.
    UNKNOWN = "unknown"
    #: No key of the store looks like it.
    MALFORMED = "malformed"
    #: It is what a store has in the place of a key: who sends it has read the store or a backup.
    HASHED = "hashed"


#: A session was stored for the first time.
session_started: Final = Signal()
#: An unchanged session was saved, so its lifetime starts anew.
session_renewed: Final = Signal()
#: A session has a new key, as after a login. Sent with ``old_public_id`` (str) as well.
session_key_changed: Final = Signal()
#: A session was ended. Sent with ``reason`` (EndReason) as well.
session_ended: Final = Signal()
#: There is no session under the key that a request has brought. Sent with ``reason``
#: (RefusalReason) when the data is first asked for; ``public_id`` is that of the key.
session_key_refused: Final = Signal()
#: A login was refused, as the user has too many sessions. ``dj_sessions.user_sessions`` sends it
#: with ``user_id`` and ``limit`` (int).
session_refused: Final = Signal()
#: A user is sent to the login page, as the last login is too long ago.
#: ``dj_sessions.user_sessions`` sends it with ``user_id`` and ``request``.
relogin_asked: Final = Signal()
#: A user has logged in from a device that the list of ``dj_sessions.user_sessions`` does not know.
#: Sent with ``user_session`` (UserSession) and ``request`` instead of ``public_id``.
new_device: Final = Signal()
