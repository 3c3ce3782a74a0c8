"""Flags of the cookie that a live site wants set: what Django's checks say before the switch.

Those look for the names of Django's app and middleware. These say the same about ours, under the
same ids, and nothing where Django's have said it.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from django.conf import settings
from django.core.checks import Warning  # noqa: A004

from dj_sessions.checks import _shared
from dj_sessions.checks._shared import APP, DJANGO_APP, DJANGO_MIDDLEWARE, MIDDLEWARE, AppConfigs
from dj_sessions.conf import conf

#: What to say of the app alone, of the middleware alone, and of both.
Warnings: TypeAlias = tuple[Warning, Warning, Warning]


def _warnings(setting: str, danger: str, ids: tuple[str, str, str]) -> Warnings:
    has_app = f"You have {APP!r} in your INSTALLED_APPS, but "
    has_middleware = f"You have {MIDDLEWARE!r} in your MIDDLEWARE, but "
    first, second, third = (
        Warning(
            f"{where}{setting} is not set to True. {danger}", hint=f"Set {setting} = True.", id=id_
        )
        for where, id_ in zip((has_app, has_middleware, ""), ids, strict=True)
    )
    return first, second, third


SECURE: Final = _warnings(
    "SESSION_COOKIE_SECURE",
    "A session cookie that is not secure-only can be read by whoever listens to the network.",
    ids=("security.W010", "security.W011", "security.W012"),
)
HTTPONLY: Final = _warnings(
    "SESSION_COOKIE_HTTPONLY",
    "A session cookie that is not HttpOnly can be stolen by cross-site scripting.",
    ids=("security.W013", "security.W014", "security.W015"),
)
W010, W011, W012 = SECURE
W013, W014, W015 = HTTPONLY


def check_session_cookie_secure(app_configs: AppConfigs, **kwargs: Any) -> list[Warning]:
    """Report a cookie that travels over plain HTTP."""
    return [] if conf.SESSION_COOKIE_SECURE is True else _what_applies(*SECURE)


def check_session_cookie_httponly(app_configs: AppConfigs, **kwargs: Any) -> list[Warning]:
    """Report a cookie that scripts can read."""
    return [] if conf.SESSION_COOKIE_HTTPONLY is True else _what_applies(*HTTPONLY)


def _what_applies(of_app: Warning, of_middleware: Warning, of_both: Warning) -> list[Warning]:
    installed, middleware = settings.INSTALLED_APPS, _shared.middleware()
    if DJANGO_APP in installed or DJANGO_MIDDLEWARE in middleware:
        return []  # Django's check has spoken
    match APP in installed, MIDDLEWARE in middleware:
        case True, True:
            return [of_both]
        case True, False:
            return [of_app]
        case False, True:
            return [of_middleware]
    return []
