"""Writing and expiring the session cookie from one set of attributes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, Literal, TypedDict

from django.http import HttpResponseBase
from django.utils import timezone
from django.utils.http import http_date

from dj_sessions._http import headers
from dj_sessions._http.cookie_values import is_domain, is_name, is_path, is_samesite, place_of
from dj_sessions._http.morsels import ELSEWHERE, SessionMorsel
from dj_sessions.conf import conf

LONG_AGO: Final = "Thu, 01 Jan 1970 00:00:00 GMT"

#: What the name and the attributes must be that a site's middleware answers.
DEMANDS: Final = {
    "name": "letters, digits, '-' and '_', and no attribute's name",
    "domain": "a bare name such as 'example.com', without port, or None",
    "path": "ASCII that begins with '/' and has no ';' and no control characters, or None",
    "samesite": "'Lax', 'Strict', 'None', or False for none",
}


class CookieAttributes(TypedDict, total=False):
    """The arguments of ``HttpResponse.set_cookie`` that are the same for each session.

    ``partitioned`` is none of them: Django does not know it.
    """

    domain: str | None
    path: str
    secure: bool
    httponly: bool
    samesite: Literal["Lax", "Strict", "None", False] | None
    partitioned: bool


def attributes() -> CookieAttributes:
    """Return the attributes that the settings ask for."""
    asked: CookieAttributes = {
        "domain": conf.SESSION_COOKIE_DOMAIN,
        "path": conf.SESSION_COOKIE_PATH,
        "secure": conf.SESSION_COOKIE_SECURE,
        "httponly": conf.SESSION_COOKIE_HTTPONLY,
        "samesite": conf.SESSION_COOKIE_SAMESITE,
    }
    if conf.SESSION_COOKIE_PARTITIONED:
        asked["partitioned"] = True
    return asked


def write(
    response: HttpResponseBase,
    name: str,
    value: str,
    attributes: CookieAttributes,
    max_age: int | None,
) -> None:
    """Set the cookie for ``max_age`` seconds, or until the browser closes where that is None.

    Raises ValueError for a name or an attribute, other than the settings', that no cookie can have.
    """
    _check(name, attributes)
    expires = None if max_age is None else _http_date(int(timezone.now().timestamp() + max_age))
    _expire_elsewhere(response, name, attributes)
    _put(response, name, value, attributes, max_age, expires)
    headers.forbid_storing(response)


def expire(response: HttpResponseBase, name: str, attributes: CookieAttributes) -> None:
    """Tell the browser to forget the cookie. Raises ValueError as ``write()`` does."""
    _check(name, attributes)
    _expire_elsewhere(response, name, attributes)
    _forget(response, name, name, attributes)
    headers.forbid_storing(response)


def _expire_elsewhere(response: HttpResponseBase, name: str, attributes: CookieAttributes) -> None:
    """Tell the browser to forget the cookies of the name in SESSION_COOKIE_ALSO_EXPIRE.

    Before the session's own: what a browser takes for the same cookie is then set after all.
    """
    for number, place in enumerate(conf.SESSION_COOKIE_ALSO_EXPIRE):
        elsewhere: Any = {**attributes, **place}
        if place_of(elsewhere) != place_of(attributes):
            _forget(response, f"{name}{ELSEWHERE}{number}", name, elsewhere)


def _forget(response: HttpResponseBase, key: str, name: str, attributes: CookieAttributes) -> None:
    """Expire a cookie where it was set.

    HttpOnly is left out, as Django does: there is no value left to hide. Secure is kept, since
    browsers refuse a cookie without it where the name, SameSite or Partitioned asks for it.
    """
    samesite = attributes.get("samesite")
    demands_secure = (
        name.startswith(("__Secure-", "__Host-"))
        or (isinstance(samesite, str) and samesite.lower() == "none")
        or attributes.get("partitioned", False)
    )
    secure = attributes.get("secure", False) or demands_secure
    expired: CookieAttributes = {**attributes, "httponly": False, "secure": secure}
    _put(response, key, "", expired, 0, LONG_AGO)


def _put(
    response: HttpResponseBase,
    key: str,
    value: str,
    attributes: CookieAttributes,
    max_age: int | None,
    expires: str | None,
) -> None:
    arguments: Any = dict(attributes)
    partitioned = bool(arguments.pop("partitioned", False))
    response.set_cookie(key, value, max_age=max_age, expires=expires, **arguments)
    if partitioned or ELSEWHERE in key:
        cookie = response.cookies[key]
        response.cookies[key] = SessionMorsel.of(cookie, partitioned=partitioned)


def _check(name: str, attributes: CookieAttributes) -> None:
    """Raise ValueError for what would end its attribute, or the header.

    The settings are left to the checks, as Django does not mind what is in them.
    """
    get = attributes.get
    for wrong in _unsendable(name, get("domain"), get("path"), get("samesite")):
        value = name if wrong == "name" else get(wrong)
        if value != getattr(conf, f"SESSION_COOKIE_{wrong.upper()}"):
            method = "cookie_name()" if wrong == "name" else "cookie_attributes()"
            raise ValueError(
                f"{method} of the session middleware gave the cookie the {wrong} {value!r}, which "
                f"must be {DEMANDS[wrong]}. Quote what comes from the request, or refuse it."
            )


@lru_cache(maxsize=64)
def _unsendable(name: object, domain: object, path: object, samesite: object) -> tuple[str, ...]:
    """Return what of these no cookie can have."""
    is_fine = {
        "name": is_name(name),
        "domain": is_domain(domain),
        "path": not path or (is_path(path) and str(path).isascii()),
        "samesite": is_samesite(samesite),
    }
    return tuple(attribute for attribute in is_fine if not is_fine[attribute])


@lru_cache(maxsize=16)
def _http_date(second: int) -> str:
    return http_date(second)
