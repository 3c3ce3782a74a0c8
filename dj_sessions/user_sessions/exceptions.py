"""What the app raises."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext, ngettext


class SessionLimitReached(PermissionDenied):
    """A login was refused: the user has as many sessions as SESSION_LIMIT_PER_USER allows.

    ``limit`` (int) is that number. ``login()`` raises it, and nobody is logged in; a view that does
    not catch it answers with 403. Its text is for the user, in the active language.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(_text(limit))


def _text(limit: int) -> str:
    if limit < 1:
        return gettext("You are not allowed to log in.")
    text = ngettext(
        "You are logged in on %(limit)d device already, which is as many as is allowed. "
        "Log out there first.",
        "You are logged in on %(limit)d devices already, which is as many as is allowed. "
        "Log out on one of them first.",
        limit,
    )
    return text % {"limit": limit}
