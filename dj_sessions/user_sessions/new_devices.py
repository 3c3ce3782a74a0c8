"""Logins from a device that the list does not know of the user."""

from __future__ import annotations

import re

from dj_sessions.registry import Save, current_request
from dj_sessions.signals import new_device
from dj_sessions.user_sessions import table


def tell_if_new(save: Save) -> None:
    """Send ``new_device`` for a login whose user agent no other row of the user has."""
    request = current_request.get()
    mine = table.rows().filter(user_id=table.as_user_id(save.owner))
    row = mine.filter(public_id=save.public_id).first()
    if row is None or request is None or getattr(request, "session", None) is not save.session:
        return
    known = mine.exclude(public_id=save.public_id).values_list("user_agent", flat=True)
    if _kind(row.user_agent) not in map(_kind, known.distinct()):
        new_device.send_robust(sender=table.model(), user_session=row, request=request)


def _kind(user_agent: str) -> str:
    """Return a user agent without its numbers: an update of a browser makes no new device."""
    return re.sub(r"[\d._]+", "", user_agent)
