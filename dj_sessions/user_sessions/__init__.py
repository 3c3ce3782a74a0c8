"""The sessions of a user: list them, end them, limit them, on every engine that keeps records.

Add ``"dj_sessions.user_sessions"`` to INSTALLED_APPS and run ``manage.py migrate``.
"""

from dj_sessions.user_sessions.ending import aend_sessions, end_sessions
from dj_sessions.user_sessions.exceptions import SessionLimitReached
from dj_sessions.user_sessions.exporting import export_sessions
from dj_sessions.user_sessions.listing import asessions_of, sessions_of

__all__ = [
    "SessionLimitReached",
    "aend_sessions",
    "asessions_of",
    "end_sessions",
    "export_sessions",
    "sessions_of",
]
