"""Names in the settings that are still Django's, and the place of the middleware."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessionMiddleware
from django.core.checks import Warning  # noqa: A004
from django.utils.module_loading import import_string

from dj_sessions.checks import _shared
from dj_sessions.checks._shared import (
    APP,
    DJANGO_APP,
    DJANGO_MIDDLEWARE,
    MIDDLEWARE,
    AppConfigs,
    Messages,
    Unusable,
    use,
)
from dj_sessions.conf import conf

_PREFIX: Final = f"{DJANGO_APP}."

#: Storages of messages that ask for ``request.session`` as soon as there is a request.
IN_SESSIONS: Final = (
    "django.contrib.messages.storage.fallback.FallbackStorage",
    "django.contrib.messages.storage.session.SessionStorage",
)
#: Middleware of Django's that raises on each request without a session, and whether this site's
#: does. What asks for ``request.user`` alone, or only when a view is found, may stand anywhere.
NEEDS_SESSION: Final[dict[str, Callable[[], bool]]] = {
    "django.contrib.auth.middleware.AuthenticationMiddleware": lambda: True,
    "django.contrib.messages.middleware.MessageMiddleware": (
        lambda: settings.MESSAGE_STORAGE in IN_SESSIONS
    ),
    "django.middleware.csrf.CsrfViewMiddleware": lambda: bool(settings.CSRF_USE_SESSIONS),
}


def check_names(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report settings that still name Django's own classes, where those can be used."""
    engine, serializer = str(conf.SESSION_ENGINE), str(conf.SESSION_SERIALIZER)
    if engine.startswith(_PREFIX) and _shared.store_or_none() is not None:
        chosen = settings.is_overridden("SESSION_ENGINE")  # type: ignore[misc]
        what = f"still Django's {engine!r}" if chosen else f"not set, so it is Django's {engine!r}"
        yield Warning(
            f"SESSION_ENGINE is {what}.",
            hint=f"{'Set' if chosen else 'Add'} SESSION_ENGINE = {_ours(engine)!r}"
            f"{'' if chosen else ' to the settings'}; it reads the same sessions.",
            id="dj_sessions.W001",
        )
    if (
        serializer.startswith(_PREFIX)
        and settings.is_overridden("SESSION_SERIALIZER")  # type: ignore[misc]
        and _is_importable(serializer)
    ):
        yield Warning(
            f"SESSION_SERIALIZER is still Django's {serializer!r}.",
            hint=f"Set SESSION_SERIALIZER = {_ours(serializer)!r}, or remove it.",
            id="dj_sessions.W002",
        )


def _ours(name: str) -> str:
    return name.replace(DJANGO_APP, APP, 1)


def _is_importable(name: str) -> bool:
    try:
        use(import_string, name)
    except Unusable:  # another check reports it
        return False
    return True


def check_middleware(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report session middleware that is Django's, missing, or behind what needs it."""
    names, unusable = _usable(_shared.middleware())
    session = [name for name in names if _gives_session(name)]
    if DJANGO_MIDDLEWARE in session:
        yield _django_s([name for name in session if name != DJANGO_MIDDLEWARE])
    if session:
        yield from _too_early(names, session[0])
    elif all(map(_is_django_s, names)):
        yield Warning(
            f"{APP!r} is in INSTALLED_APPS, but MIDDLEWARE has no session middleware: "
            f"requests have no session.{unusable}",
            hint=f"Add {MIDDLEWARE!r} to MIDDLEWARE.",
            id="dj_sessions.W004",
        )


def _django_s(others: list[str]) -> Warning:
    hint = f"Put {MIDDLEWARE!r} in the place of {DJANGO_MIDDLEWARE!r}."
    if others:
        hint = (
            f"Remove {DJANGO_MIDDLEWARE!r}, and put {others[0]!r} where the first of the two stood."
        )
    return Warning(
        "MIDDLEWARE still has Django's SessionMiddleware.", hint=hint, id="dj_sessions.W003"
    )


def _too_early(names: list[str], session: str) -> Messages:
    """Report what stands before all that may give requests their session."""
    for name in names:
        if name == session or not _is_django_s(name):
            return
        if NEEDS_SESSION.get(name, lambda: False)():
            yield Warning(
                f"{name!r} stands before the session middleware that it needs: every request "
                "fails.",
                hint=f"Move {session!r} above it in MIDDLEWARE.",
                id="dj_sessions.W005",
            )


def _usable(names: list[str]) -> tuple[list[str], str]:
    """Return what can be imported, and sentences about what Django will refuse to load."""
    usable, sentences = [], ""
    for name in names:
        try:
            use(import_string, name)
        except Unusable as error:
            sentences += f" {name!r} cannot be imported: {error}."
        else:
            usable.append(name)
    return usable, sentences


def _gives_session(name: str) -> bool:
    middleware = import_string(name)
    return isinstance(middleware, type) and issubclass(middleware, DjangoSessionMiddleware)


def _is_django_s(name: str) -> bool:
    """Return whether it is known what middleware does; any other may give requests a session."""
    return name.startswith("django.")
