"""What the checks of every subject need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any, Final, TypeAlias, TypeVar

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured

from dj_sessions._http.cookie_values import is_text
from dj_sessions.backends.moving import MoveProblem, SessionStore, find_move
from dj_sessions.conf import conf

AppConfigs: TypeAlias = Sequence[AppConfig] | None
Messages: TypeAlias = Iterable[CheckMessage]
T = TypeVar("T")

APP: Final = "dj_sessions"
MIDDLEWARE: Final = "dj_sessions.middleware.SessionMiddleware"
DJANGO_APP: Final = "django.contrib.sessions"
DJANGO_MIDDLEWARE: Final = "django.contrib.sessions.middleware.SessionMiddleware"


class Unusable(Exception):
    """What a setting names cannot be used; the message says why."""


def use(call: Callable[..., T], *arguments: Any) -> T:
    """Call what is the site's; raises Unusable from whatever that raises."""
    try:
        return call(*arguments)
    except Exception as error:
        raise Unusable(_reason(error)) from error


def _reason(error: Exception) -> str:
    text = str(error).rstrip(".")
    speaks_for_itself = isinstance(error, ImportError | ImproperlyConfigured | OSError)
    return text if text and speaks_for_itself else f"{type(error).__name__}: {text}"


def text(value: object) -> str:
    """Return a setting as a string; raises ImproperlyConfigured for anything else."""
    if not is_text(value):
        raise ImproperlyConfigured("it is not a string")
    return str(value)


def middleware() -> list[str]:
    """Return the names in MIDDLEWARE; none if it is no list."""
    names = settings.MIDDLEWARE
    return [str(name) for name in names] if isinstance(names, list | tuple) else []


def store() -> Any:
    """Return the class that keeps the sessions; raises Unusable if there is none."""
    return use(_store)


def _store() -> Any:
    return import_module(text(conf.SESSION_ENGINE)).SessionStore


def store_or_none() -> Any:
    """Return the class that keeps the sessions; None if check_engine() reports it."""
    try:
        return store()
    except Unusable:
        return None


def storage_of(store: Any) -> Any:
    """Return the storage of a session of ``store``; raises Unusable from what that raises."""
    return use(lambda: store().get_storage())


def is_kept_by_clients(store: Any) -> bool:
    """Return whether the sessions of ``store``, ours or Django's, are in cookies alone."""
    bases = getattr(store, "__mro__", ())
    return any(base.__module__.endswith(".backends.signed_cookies") for base in bases)


def is_moving(store: Any) -> bool:
    """Return whether the sessions of ``store`` move from one engine to another."""
    return isinstance(store, type) and issubclass(store, SessionStore)


def stores() -> list[Any]:
    """Return the class that keeps the sessions, or the two between which they move.

    None of those that check_engine() or check_move() reports.
    """
    store = store_or_none()
    if not is_moving(store):
        return [] if store is None else [store]
    try:
        move = find_move()
    except MoveProblem:
        return []
    return [move.source, move.target]
