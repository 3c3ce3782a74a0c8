"""Which requests do not count as use of a session."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest

from dj_sessions.conf import conf

#: What ``@passive`` puts on a view.
MARK: Final = "session_passive"


def is_passive(request: HttpRequest) -> bool:
    """Return whether ``@passive`` marks the view, or SESSION_PASSIVE_PATHS has the path."""
    view = getattr(request.resolver_match, "func", None)
    return getattr(view, MARK, False) or request.path_info.startswith(
        tuple(conf.SESSION_PASSIVE_PATHS)
    )
