"""The sessions of a user in words, for the page on which the user sees them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import npgettext, pgettext

from dj_sessions.user_sessions.conf import conf
from dj_sessions.user_sessions.models import UserSession
from dj_sessions.user_sessions.user_agents import client_named_in

logger: Final = logging.getLogger("django.contrib.sessions")
MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Device:
    """What the page says of one session, in the active language."""

    #: The row in the list.
    row: UserSession
    #: Whether this is the session of the request.
    is_present: bool
    #: The browser and the system, as in "Firefox on Linux".
    name: str
    #: Where the address is, by ``SESSION_PLACE_OF_ADDRESS``; "" where nobody knows.
    place: str
    #: When somebody logged in there, as in "3 days ago".
    logged_in: str
    #: When it was last seen, as in "5 minutes ago".
    last_seen: str

    @property
    def button(self) -> str:
        """What the button that ends it is called, so that no two have the same name."""
        text = pgettext("sessions of a user", "End the session: {device}, last seen {when}")
        return text.format(device=self.name, when=self.last_seen)


def devices_of(rows: Iterable[UserSession], session: Any) -> list[Device]:
    """Return the devices of ``rows``, that of ``session`` first."""
    now = timezone.now()
    devices = [_device(row, row.is_of(session), now) for row in rows]
    return sorted(devices, key=lambda device: not device.is_present)


def _device(row: UserSession, is_present: bool, now: datetime) -> Device:
    return Device(
        row=row,
        is_present=is_present,
        name=name_of(row.user_agent),
        place=place_of(row.ip_address),
        logged_in=ago(row.created, now),
        last_seen=ago(now if is_present else row.last_seen, now),
    )


def name_of(user_agent: str) -> str:
    """Return the browser and the system of a ``User-Agent``, in words."""
    browser, system = client_named_in(user_agent)
    browser = browser or pgettext("sessions of a user", "Unknown browser")
    if not system:
        return browser
    text = pgettext("sessions of a user", "{browser} on {system}")
    return text.format(browser=browser, system=system)


def place_of(ip_address: str | None) -> str:
    """Return where an address is; "" if nobody knows, or if the site's function fails."""
    path = conf.SESSION_PLACE_OF_ADDRESS
    if path is None or not ip_address:
        return ""
    place_of_address = import_string(path)
    try:
        return str(place_of_address(ip_address) or "")
    except Exception:  # the site's: one must be able to end a session while it fails
        logger.exception("SESSION_PLACE_OF_ADDRESS = %r has failed", path)
        return ""


def ago(moment: datetime, now: datetime) -> str:
    """Return how long before ``now`` it was, in words."""
    seconds = int((now - moment).total_seconds())
    if seconds < MINUTE:
        return pgettext("sessions of a user", "just now")
    if seconds < HOUR:
        n = seconds // MINUTE
        text = npgettext("sessions of a user", "{n} minute ago", "{n} minutes ago", n)
    elif seconds < DAY:
        n = seconds // HOUR
        text = npgettext("sessions of a user", "{n} hour ago", "{n} hours ago", n)
    else:
        n = seconds // DAY
        text = npgettext("sessions of a user", "{n} day ago", "{n} days ago", n)
    return text.format(n=n)
