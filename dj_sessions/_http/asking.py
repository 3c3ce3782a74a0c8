"""What the middleware asks of ``request.session``, which may be a session of anybody's."""

from __future__ import annotations

from typing import Any, Final

from dj_sessions.conf import has_limits

#: Django's name for who is logged in.
USER: Final = "_auth_user_id"


def is_session(session: Any) -> bool:
    """Return whether ``request.session`` is one, and not removed or replaced by something else."""
    return hasattr(session, "accessed")


def is_made_in_memory(store: Any) -> bool:
    """Return whether making a session is Django's or our own work, which asks no store."""
    made_by = str(getattr(store.__init__, "__module__", ""))
    return made_by.startswith(("dj_sessions.", "django.contrib.sessions."))


def is_limited(session: Any) -> bool:
    """Return whether the session is one that the settings set limits to."""
    return has_limits() and hasattr(session, "_is_renewal_due")


def has_moved(session: Any) -> bool:
    """Return whether another request has given the session another key meanwhile."""
    return getattr(session, "_was_moved", False) is True


def came_late(session: Any) -> bool:
    """Return whether a new session would take the place of one whose key has just changed."""
    ask = getattr(session, "_came_late", None)
    return ask is not None and ask() is True


def has_logged_out(session: Any) -> bool:
    """Return whether the view has ended the session, be it one that was over, for nobody else."""
    if getattr(session, "_was_flushed", False) is not True:
        return False
    return getattr(session, "_session_cache", {}).get(USER) is None
