"""Writing and expiring the session cookie from one set of attributes."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, TypedDict

from django.http import HttpResponseBase
from django.utils import timezone
from django.utils.http import http_date

from dj_sessions.conf import conf


class CookieAttributes(TypedDict, total=False):
    """Keyword arguments of ``HttpResponse.set_cookie`` that do not change with the session."""

    domain: str | None
    path: str
    secure: bool
    httponly: bool
    samesite: Literal["Lax", "Strict", "None", False] | None


def attributes() -> CookieAttributes:
    """Return the attributes that the settings ask for."""
    return {
        "domain": conf.SESSION_COOKIE_DOMAIN,
        "path": conf.SESSION_COOKIE_PATH,
        "secure": conf.SESSION_COOKIE_SECURE,
        "httponly": conf.SESSION_COOKIE_HTTPONLY,
        "samesite": conf.SESSION_COOKIE_SAMESITE,
    }


def write(
    response: HttpResponseBase,
    name: str,
    value: str,
    attributes: CookieAttributes,
    max_age: int | None,
) -> None:
    """Set the cookie for ``max_age`` seconds, or until the browser closes where that is None."""
    expires = None if max_age is None else _http_date(int(timezone.now().timestamp() + max_age))
    response.set_cookie(name, value, max_age=max_age, expires=expires, **attributes)


def expire(response: HttpResponseBase, name: str, attributes: CookieAttributes) -> None:
    """Tell the browser to forget the cookie.

    HttpOnly is left out, as Django does: there is no value left to hide. Secure is kept, since
    browsers refuse a cookie without it where the name or SameSite asks for it.
    """
    samesite = attributes.get("samesite")
    demands_secure = name.startswith(("__Secure-", "__Host-")) or (
        isinstance(samesite, str) and samesite.lower() == "none"
    )
    secure = attributes.get("secure", False) or demands_secure
    expired: CookieAttributes = {**attributes, "httponly": False, "secure": secure}
    response.set_cookie(
        name,
        max_age=0,
        expires="Thu, 01 Jan 1970 00:00:00 GMT",
        **expired,
    )


@lru_cache(maxsize=16)
def _http_date(second: int) -> str:
    return http_date(second)
