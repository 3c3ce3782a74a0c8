"""How much the list has of whoever uses a session."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest

from dj_sessions.privacy import address_of as address_of

#: Characters that are kept of a user agent.
AGENT_LENGTH: Final = 255


def agent_of(request: HttpRequest) -> str:
    """Return the user agent, cut to what is kept of it; without what a database refuses."""
    agent = str(request.META.get("HTTP_USER_AGENT", ""))
    return agent.replace("\x00", "").encode("utf-8", "replace").decode()[:AGENT_LENGTH]
