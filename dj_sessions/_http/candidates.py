"""The session cookies of a request, where it brings several of one name."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, parse_cookie

#: Of how many different values a session is looked for. No browser of a visitor has more; whoever
#: sends more does not cause more look-ups.
MOST: Final = 4


def values_of(request: HttpRequest, name: str) -> list[str]:
    """Return the different values of the cookie, the last one first: that is the one of Django.

    One by one, as ``parse_cookie()`` keeps the last value of a name alone.
    """
    pairs = reversed(request.META.get("HTTP_COOKIE", "").split(";"))
    found = (parse_cookie(pair).get(name) for pair in pairs if name in pair)
    return list(dict.fromkeys(value for value in found if value is not None))


def others(request: HttpRequest, name: str, key: str | None) -> list[str]:
    """Return the values to try after ``key``; none where the key is not that of the cookie."""
    values = values_of(request, name)[:MOST]
    return values[1:] if values and values[0] == key else []
