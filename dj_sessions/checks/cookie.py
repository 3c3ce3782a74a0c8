"""Cookie settings that do not fit together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.conf import global_settings, settings
from django.core.checks import Error, Warning  # noqa: A004

from dj_sessions._http.cookie_values import is_domain, is_path, is_text, place_of
from dj_sessions.checks._shared import AppConfigs, Messages
from dj_sessions.conf import conf

#: What an entry of SESSION_COOKIE_ALSO_EXPIRE can say, and what each must be.
PLACE: Final[dict[str, Callable[[Any], bool]]] = {
    "domain": is_domain,
    "path": is_path,
    "partitioned": lambda value: isinstance(value, bool),
}


def check_cookie(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report cookie settings that browsers refuse together, and a name that two cookies have."""
    yield from _refused_together()
    yield from _two_of_one_name()
    yield from _unfit_for_frames()
    yield from _insecure_clearing()


def check_also_expired(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report what cannot be the place of an old cookie, and what is that of the cookie itself."""
    places, example = conf.SESSION_COOKIE_ALSO_EXPIRE, "[{'domain': '.example.com'}]"
    if not isinstance(places, list | tuple) or not all(map(_is_place, places)):
        yield Error(
            f"SESSION_COOKIE_ALSO_EXPIRE = {places!r} is not a list of places where a cookie can "
            "be: the session cookie cannot be set.",
            hint=f"Set SESSION_COOKIE_ALSO_EXPIRE = {example}: a list of dictionaries with one or "
            "more of 'domain', 'path' and 'partitioned'.",
            id="dj_sessions.E063",
        )
        return
    own = {
        "domain": conf.SESSION_COOKIE_DOMAIN,
        "path": conf.SESSION_COOKIE_PATH,
        "partitioned": conf.SESSION_COOKIE_PARTITIONED,
    }
    for place in places:
        if place_of({**own, **place}) == place_of(own):
            yield Warning(
                f"{place!r} in SESSION_COOKIE_ALSO_EXPIRE is the place of the session cookie "
                "itself, and has no effect.",
                hint="Name the domain, the path or the partition that the cookie had before, or "
                "leave the entry out.",
                id="dj_sessions.W064",
            )


def _is_place(place: Any) -> bool:
    return (
        isinstance(place, dict)
        and bool(place)
        and all(name in PLACE and PLACE[name](value) for name, value in place.items())
    )


def _unfit_for_frames() -> Messages:
    if not conf.SESSION_COOKIE_PARTITIONED:
        return
    if not conf.SESSION_COOKIE_SECURE:
        yield Error(
            "SESSION_COOKIE_PARTITIONED without SESSION_COOKIE_SECURE: browsers refuse the "
            "session cookie.",
            hint="Set SESSION_COOKIE_SECURE = True, or SESSION_COOKIE_PARTITIONED = False.",
            id="dj_sessions.E065",
        )
    samesite = conf.SESSION_COOKIE_SAMESITE
    if not _sends_none(samesite):
        yield Warning(
            f"SESSION_COOKIE_PARTITIONED with SESSION_COOKIE_SAMESITE = {samesite!r}: in a frame "
            "on a page of another site browsers do not send the session cookie.",
            hint="Set SESSION_COOKIE_SAMESITE = 'None', or SESSION_COOKIE_PARTITIONED = False.",
            id="dj_sessions.W066",
        )


def _insecure_clearing() -> Messages:
    if conf.SESSION_CLEAR_SITE_DATA and not conf.SESSION_COOKIE_SECURE:
        yield Warning(
            "SESSION_CLEAR_SITE_DATA without SESSION_COOKIE_SECURE: over plain HTTP browsers "
            "ignore it.",
            hint="Serve the site over HTTPS alone and set SESSION_COOKIE_SECURE = True, or set "
            "SESSION_CLEAR_SITE_DATA = None.",
            id="dj_sessions.W069",
        )


def _refused_together() -> Messages:
    name, samesite = str(conf.SESSION_COOKIE_NAME), conf.SESSION_COOKIE_SAMESITE
    if _sends_none(samesite) and not conf.SESSION_COOKIE_SECURE:
        yield Warning(
            f"SESSION_COOKIE_SAMESITE = {str(samesite)!r} without SESSION_COOKIE_SECURE: browsers "
            "refuse the session cookie.",
            hint="Set SESSION_COOKIE_SECURE = True, or SESSION_COOKIE_SAMESITE = 'Lax'.",
            id="dj_sessions.W022",
        )
    wanted: dict[str, object] = {}
    if name.startswith(("__Host-", "__Secure-")):
        wanted["SESSION_COOKIE_SECURE"] = True
    if name.startswith("__Host-"):
        wanted |= {"SESSION_COOKIE_DOMAIN": None, "SESSION_COOKIE_PATH": "/"}
    for setting, value in wanted.items():
        if (getattr(conf, setting) or None) != value:
            yield Warning(
                f"SESSION_COOKIE_NAME = {name!r} with {setting} = {getattr(conf, setting)!r}: "
                "browsers refuse the session cookie.",
                hint=f"Set {setting} = {value!r}, or choose a name without that prefix.",
                id="dj_sessions.W023",
            )


def _sends_none(samesite: object) -> bool:
    return is_text(samesite) and str(samesite).lower() == "none"


def _two_of_one_name() -> Messages:
    name, others = conf.SESSION_COOKIE_NAME, {"LANGUAGE_COOKIE_NAME": settings.LANGUAGE_COOKIE_NAME}
    if not settings.CSRF_USE_SESSIONS:  # else Django sets no such cookie
        others["CSRF_COOKIE_NAME"] = settings.CSRF_COOKIE_NAME
    for other in (setting for setting, taken in others.items() if taken == name):
        # The one that has not Django's own name any more.
        changed = other if name == global_settings.SESSION_COOKIE_NAME else "SESSION_COOKIE_NAME"
        usual = getattr(global_settings, changed)
        yield Warning(
            f"SESSION_COOKIE_NAME = {name!r} is also {other}: one cookie overwrites the other.",
            hint=f"Set {changed} = {usual!r}, or another name that no other cookie has.",
            id="dj_sessions.W028",
        )
