"""Cookie settings that do not fit together."""

from __future__ import annotations

from typing import Any

from django.core.checks import Warning  # noqa: A004

from dj_sessions.checks import _shared
from dj_sessions.checks._shared import AppConfigs, Messages
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
