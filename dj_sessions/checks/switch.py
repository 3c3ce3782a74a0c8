"""Names in the settings that are still Django's, and the place of the middleware."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessionMiddleware
from django.core.checks import Error, Warning  # noqa: A004
from django.utils.module_loading import import_string

from dj_sessions.checks import _shared
from dj_sessions.checks._shared import DJANGO, MIDDLEWARE, AppConfigs, Messages, Unusable, use
from dj_sessions.conf import conf

#: Middleware that reads ``request.session``, and so must stand after ours.
NEEDS_SESSION: Final = (
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.auth.middleware.RemoteUserMiddleware",
    "django.contrib.auth.middleware.PersistentRemoteUserMiddleware",
)
#: The same, unless messages are kept in a cookie of their own.
MESSAGES: Final = "django.contrib.messages.middleware.MessageMiddleware"
IN_COOKIES: Final = "django.contrib.messages.storage.cookie.CookieStorage"


def check_names(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report settings that still name Django's own classes, where those can be used."""
    engine, serializer = str(conf.SESSION_ENGINE), str(conf.SESSION_SERIALIZER)
    if engine.startswith(DJANGO) and _shared.store_or_none() is not None:
        yield Warning(
            f"SESSION_ENGINE is still Django's {engine!r}.",
            hint=f"Set SESSION_ENGINE = {_ours(engine)!r}; it reads the same sessions.",
            id="dj_sessions.W001",
        )
    if (
        serializer.startswith(DJANGO)
        and settings.is_overridden("SESSION_SERIALIZER")  # type: ignore[misc]
        and _is_importable(serializer)
    ):
        yield Warning(
            f"SESSION_SERIALIZER is still Django's {serializer!r}.",
            hint=f"Set SESSION_SERIALIZER = {_ours(serializer)!r}, or remove it.",
            id="dj_sessions.W002",
        )


def _ours(name: str) -> str:
    return name.replace(DJANGO, "dj_sessions.", 1)


def _is_importable(name: str) -> bool:
    try:
        use(import_string, name)
    except Unusable:  # another check reports it
        return False
    return True


def check_middleware(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report session middleware that is Django's, missing, or behind what needs it."""
    names = _shared.middleware()
    if DJANGO + "middleware.SessionMiddleware" in names:
        yield Warning(
            "MIDDLEWARE still has Django's SessionMiddleware.",
            hint=f"Put {MIDDLEWARE!r} in the place of '{DJANGO}middleware.SessionMiddleware'.",
            id="dj_sessions.W003",
        )
    first, unusable = _first_session_middleware(names)
    if first is None:
        yield Warning(
            "'dj_sessions' is in INSTALLED_APPS, but MIDDLEWARE has no session middleware: "
            f"requests have no session.{unusable}",
            hint=f"Add {MIDDLEWARE!r} to MIDDLEWARE. If other middleware there gives requests "
            "their session, silence this check.",
            id="dj_sessions.W004",
        )
        return
    for name in names[:first]:
        if name in NEEDS_SESSION or (name == MESSAGES and settings.MESSAGE_STORAGE != IN_COOKIES):
            yield Error(
                f"{name!r} stands before the session middleware that it needs.",
                hint=f"Move {names[first]!r} above it in MIDDLEWARE.",
                id="dj_sessions.E005",
            )


def _first_session_middleware(names: list[str]) -> tuple[int | None, str]:
    """Return the place of the first session middleware, and what could not be imported."""
    unusable = ""
    for place, name in enumerate(names):
        try:
            middleware = use(import_string, name)
        except Unusable as error:  # Django raises it when it loads the middleware
            unusable += f" {name!r} cannot be imported: {error}."
            continue
        if isinstance(middleware, type) and issubclass(middleware, DjangoSessionMiddleware):
            return place, ""
    return None, unusable
