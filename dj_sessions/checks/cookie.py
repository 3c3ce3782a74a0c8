"""Cookie settings that do not fit together, and flags that a live site wants set."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import Warning  # noqa: A004

from dj_sessions.checks import _shared
from dj_sessions.checks._shared import MIDDLEWARE, AppConfigs, Messages
from dj_sessions.conf import conf


def check_cookie(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report cookie settings that browsers refuse together."""
    name, samesite = str(conf.SESSION_COOKIE_NAME), conf.SESSION_COOKIE_SAMESITE
    sends_none = _shared.is_text(samesite) and str(samesite).lower() == "none"
    if sends_none and not conf.SESSION_COOKIE_SECURE:
        yield Warning(
            "SESSION_COOKIE_SAMESITE = 'None' without SESSION_COOKIE_SECURE: browsers refuse "
            "the session cookie.",
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


def check_cookie_secure(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report a cookie that travels over plain HTTP (Django's security.W010 to W012)."""
    return _check_flag(
        "SESSION_COOKIE_SECURE",
        "A session cookie that is not secure-only can be read by whoever listens to the network.",
        first_id=10,
    )


def check_cookie_httponly(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report a cookie that scripts can read (Django's security.W013 to W015)."""
    return _check_flag(
        "SESSION_COOKIE_HTTPONLY",
        "A session cookie that is not HttpOnly can be stolen by cross-site scripting.",
        first_id=13,
    )


def _check_flag(setting: str, danger: str, first_id: int) -> Messages:
    if getattr(conf, setting) is True:
        return
    has_app = any(entry.split(".")[0] == "dj_sessions" for entry in settings.INSTALLED_APPS)
    has_middleware = MIDDLEWARE in _shared.middleware()
    what = {
        (True, False): (0, "You have 'dj_sessions' in your INSTALLED_APPS, but "),
        (False, True): (1, f"You have {MIDDLEWARE!r} in your MIDDLEWARE, but "),
        (True, True): (2, ""),
    }.get((has_app, has_middleware))
    if what is not None:
        offset, where = what
        yield Warning(
            f"{where}{setting} is not set to True. {danger}",
            hint=f"Set {setting} = True.",
            id=f"dj_sessions.W{first_id + offset:03}",
        )
