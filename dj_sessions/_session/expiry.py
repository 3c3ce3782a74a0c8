"""When a session ends: pure functions of the stored value, the time and the default age.

The stored value (``session["_session_expiry"]``) is a number of seconds after the last change,
an ISO 8601 text for a fixed time, or missing. As in Django, 0 is "until the browser closes" for
the cookie and the default age for the store.

A fixed time was stored with or without a time zone, as USE_TZ said then. It is read as the site's
times are now; without one it is a time in ``zone``, which is TIME_ZONE.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final, TypeAlias

KEY: Final = "_session_expiry"

Expiry: TypeAlias = "int | float | str | datetime | None"

_ACCEPTED: Final = (
    "Pass a number of seconds, 0 (until the browser closes), a datetime, a timedelta, "
    "or None (the default of the settings)."
)


class OutsideCalendar(ValueError, OverflowError):
    """No date that there is: OverflowError is what Django's ``set_expiry()`` raises."""


def stored_value(value: object, now: datetime) -> int | float | str:
    """Return what to store for ``set_expiry(value)``; ``now`` is aware if the site's times are.

    Raises TypeError for a value that is no expiry and ValueError for one that cannot be
    compared with the site's times or lies outside the calendar.
    """
    if isinstance(value, str):
        value = _parsed(value)
    if isinstance(value, datetime):
        _check_comparable(value, now)
        return value.isoformat()
    if not isinstance(value, timedelta | int | float):
        kind = type(value).__name__
        raise TypeError(f"The session expiry {value!r} is of type {kind}. {_ACCEPTED}")
    try:
        ends = now + (value if isinstance(value, timedelta) else timedelta(seconds=value))
    except (OverflowError, ValueError) as error:  # not a number is a ValueError
        raise OutsideCalendar(
            f"The session expiry {value!r} is outside the calendar. {_ACCEPTED}"
        ) from error
    return ends.isoformat() if isinstance(value, timedelta) else value


def _parsed(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(
            f"The session expiry {text!r} is not an ISO 8601 time. {_ACCEPTED}"
        ) from error


def _check_comparable(moment: datetime, now: datetime) -> None:
    aware = now.utcoffset() is not None
    if (moment.utcoffset() is not None) != aware:
        has, wants = ("no time zone", "True") if aware else ("a time zone", "False")
        raise ValueError(
            f"The session expiry {moment.isoformat()} has {has}, but USE_TZ is {wants}: "
            "the two cannot be compared. Start from django.utils.timezone.now()."
        )


def date(expiry: Expiry, modification: datetime, default_age: int, zone: tzinfo = UTC) -> datetime:
    """Return when the session ends, with a time zone if ``modification`` has one."""
    if isinstance(expiry, str | datetime) and expiry:
        return _fixed(expiry, modification, zone)
    seconds: Any = expiry or default_age
    return modification + timedelta(seconds=seconds)


def age(expiry: Expiry, modification: datetime, default_age: int, zone: tzinfo = UTC) -> int:
    """Return the seconds from ``modification`` until the session ends."""
    if isinstance(expiry, str | datetime) and expiry:
        left = date(expiry, modification, default_age, zone) - modification
        return left // timedelta(seconds=1)
    return expiry or default_age  # type: ignore[return-value] # a float is kept as given, as in Django


def _fixed(expiry: str | datetime, like: datetime, zone: tzinfo) -> datetime:
    """Return a fixed time, with a time zone if ``like`` has one."""
    moment = datetime.fromisoformat(expiry) if isinstance(expiry, str) else expiry
    has_zone = moment.utcoffset() is not None
    if has_zone == (like.utcoffset() is not None):
        return moment
    if not has_zone:
        return moment.replace(tzinfo=zone)
    try:
        return moment.astimezone(zone).replace(tzinfo=None)
    except OverflowError:  # at the ends of the calendar
        return moment.replace(tzinfo=None)


def at_browser_close(expiry: Expiry, default: bool) -> bool:
    """Return whether the cookie lasts until the browser closes."""
    return default if expiry is None else expiry == 0
