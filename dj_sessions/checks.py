"""System checks: what a site should change about its sessions, each with what to write."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, Final, TypeAlias

from django.apps import AppConfig
from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessionMiddleware
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from dj_sessions.conf import conf
from dj_sessions.serializers import PickleSerializer

AppConfigs: TypeAlias = Sequence[AppConfig] | None
Messages: TypeAlias = Iterable[CheckMessage]

TAG: Final = "dj_sessions"
DJANGO: Final = "django.contrib.sessions."
MIDDLEWARE: Final = "dj_sessions.middleware.SessionMiddleware"

#: What importing a module by its name raises: no name, no such module, a model without an app.
UNIMPORTABLE: Final = (ImportError, RuntimeError, ValueError)

#: Middleware that reads ``request.session``, and so must stand after ours.
NEEDS_SESSION: Final = (
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.auth.middleware.RemoteUserMiddleware",
    "django.contrib.auth.middleware.PersistentRemoteUserMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
)


def register_all() -> None:
    """Register every check; ``check --deploy`` adds what Django's W010-W015 said."""
    register(check_names, TAG)
    register(check_middleware, TAG)
    register(check_engine, TAG)
    register(check_cache, TAG)
    register(check_file_path, TAG)
    register(check_serializer, TAG)
    register(check_cookie, TAG)
    register(check_cookie_secure, Tags.security, deploy=True)
    register(check_cookie_httponly, Tags.security, deploy=True)


# The switch


def check_names(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report settings that still name Django's own classes."""
    engine, serializer = conf.SESSION_ENGINE, conf.SESSION_SERIALIZER
    if engine.startswith(DJANGO):
        yield Warning(
            f"SESSION_ENGINE is still Django's {engine!r}.",
            hint=f"Set SESSION_ENGINE = {_ours(engine)!r}; it reads the same sessions.",
            id="dj_sessions.W001",
        )
    if serializer.startswith(DJANGO) and settings.is_overridden("SESSION_SERIALIZER"):  # type: ignore[misc]
        yield Warning(
            f"SESSION_SERIALIZER is still Django's {serializer!r}.",
            hint=f"Set SESSION_SERIALIZER = {_ours(serializer)!r}, or remove it.",
            id="dj_sessions.W002",
        )


def _ours(name: str) -> str:
    return name.replace(DJANGO, "dj_sessions.", 1)


def check_middleware(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report session middleware that is Django's, missing, or behind what needs it."""
    names = list(settings.MIDDLEWARE)
    places = [place for place, name in enumerate(names) if _is_session_middleware(name)]
    if DJANGO + "middleware.SessionMiddleware" in names:
        yield Warning(
            "MIDDLEWARE still has Django's SessionMiddleware.",
            hint=f"Put {MIDDLEWARE!r} in the place of '{DJANGO}middleware.SessionMiddleware'.",
            id="dj_sessions.W003",
        )
    if not places:
        yield Warning(
            "'dj_sessions' is in INSTALLED_APPS, but MIDDLEWARE has no session middleware: "
            "requests have no session.",
            hint=f"Add {MIDDLEWARE!r} to MIDDLEWARE. If other middleware there gives requests "
            "their session, silence this check.",
            id="dj_sessions.W004",
        )
        return
    for name in names[: places[0]]:
        if name in NEEDS_SESSION:
            yield Error(
                f"{name!r} stands before the session middleware that it needs.",
                hint=f"Move {names[places[0]]!r} above it in MIDDLEWARE.",
                id="dj_sessions.E005",
            )


def _is_session_middleware(name: str) -> bool:
    try:
        middleware = import_string(name)
    except UNIMPORTABLE:  # Django says so itself when it loads the middleware
        return False
    return isinstance(middleware, type) and issubclass(middleware, DjangoSessionMiddleware)


# The engine


def check_engine(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report an engine that cannot be imported or whose model is not installed."""
    try:
        store = _store()
    except (*UNIMPORTABLE, AttributeError) as error:
        yield Error(
            f"SESSION_ENGINE = {conf.SESSION_ENGINE!r} is no module with a SessionStore: {error}.",
            hint="Name an engine, for example 'dj_sessions.backends.db'.",
            id="dj_sessions.E006",
        )
        return
    try:
        getattr(store, "get_model_class", lambda: None)()
    except (ImproperlyConfigured, ImportError, LookupError, RuntimeError) as error:
        yield Error(
            f"The engine {conf.SESSION_ENGINE!r} has no model to keep sessions in: {error}",
            hint="Add the app of its model to INSTALLED_APPS and run 'manage.py migrate'.",
            id="dj_sessions.E007",
        )


def _store() -> Any:
    return import_module(conf.SESSION_ENGINE).SessionStore


def _store_or_none() -> Any:
    try:
        return _store()
    except (*UNIMPORTABLE, AttributeError):  # check_engine() reports it
        return None


def check_cache(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report a cache that cannot hold sessions."""
    prefix = getattr(_store_or_none(), "cache_key_prefix", None)
    if prefix is None:
        return
    alias = conf.SESSION_CACHE_ALIAS
    if alias not in settings.CACHES:
        yield Error(
            f"SESSION_CACHE_ALIAS = {alias!r} is not in CACHES.",
            hint=f"Use one of {sorted(settings.CACHES)}, or add {alias!r} to CACHES.",
            id="dj_sessions.E008",
        )
        return
    cache = import_string(settings.CACHES[alias]["BACKEND"])
    server = f"Point CACHES[{alias!r}] to a server, such as Redis, or set SESSION_CACHE_ALIAS."
    if issubclass(cache, DummyCache):
        yield Warning(
            f"Sessions use the cache {alias!r}, a DummyCache, which keeps nothing.",
            hint=server,
            id="dj_sessions.W009",
        )
    elif issubclass(cache, LocMemCache):
        yield Warning(
            f"Sessions use the cache {alias!r}, a LocMemCache, which each process has for itself: "
            "with two processes, one does not know of the logins and logouts of the other.",
            hint=server,
            id="dj_sessions.W016",
        )
    if not prefix:
        yield Error(
            "The engine's cache_key_prefix is empty: a session key could name any cache entry.",
            hint="Give the SessionStore a cache_key_prefix of its own.",
            id="dj_sessions.E017",
        )


def check_file_path(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report a directory in which the file engine cannot write."""
    get_path = getattr(_store_or_none(), "_get_storage_path", None)
    if get_path is None:
        return
    try:
        tempfile.TemporaryFile(dir=get_path()).close()  # opening it is the check
    except (ImproperlyConfigured, OSError) as error:
        yield Error(
            f"Session files cannot be written: {error}",
            hint="Create the directory and let the server write there, or name another one in "
            "SESSION_FILE_PATH.",
            id="dj_sessions.E018",
        )


def check_serializer(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report a serializer that cannot be imported, or one that runs code."""
    hint = "Set SESSION_SERIALIZER = 'dj_sessions.serializers.JSONSerializer', or remove it."
    try:
        serializer = import_string(conf.SESSION_SERIALIZER)
    except UNIMPORTABLE as error:
        yield Error(
            f"SESSION_SERIALIZER = {conf.SESSION_SERIALIZER!r} cannot be imported: {error}.",
            hint=hint,
            id="dj_sessions.E019",
        )
        return
    if not (isinstance(serializer, type) and issubclass(serializer, PickleSerializer)):
        return
    if _is_kept_by_clients(_store_or_none()):
        yield Error(
            "PickleSerializer with signed_cookies lets whoever learns SECRET_KEY run code on "
            "the server.",
            hint=hint,
            id="dj_sessions.E021",
        )
    else:
        yield Warning(
            "PickleSerializer runs the code that a session names: whoever can write to the "
            "store and learns SECRET_KEY can run code on the server.",
            hint=hint,
            id="dj_sessions.W020",
        )


def _is_kept_by_clients(store: Any) -> bool:
    bases = getattr(store, "__mro__", ())
    return any(base.__module__.endswith(".backends.signed_cookies") for base in bases)


# The cookie


def check_cookie(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report cookie settings that browsers refuse."""
    name, secure = conf.SESSION_COOKIE_NAME, conf.SESSION_COOKIE_SECURE
    if str(conf.SESSION_COOKIE_SAMESITE).lower() == "none" and not secure:
        yield Warning(
            "SESSION_COOKIE_SAMESITE = 'None' without SESSION_COOKIE_SECURE: browsers refuse "
            "the session cookie.",
            hint="Set SESSION_COOKIE_SECURE = True, or SESSION_COOKIE_SAMESITE = 'Lax'.",
            id="dj_sessions.W022",
        )
    wanted = {}
    if name.startswith(("__Host-", "__Secure-")):
        wanted["SESSION_COOKIE_SECURE"] = True
    if name.startswith("__Host-"):
        wanted |= {"SESSION_COOKIE_DOMAIN": None, "SESSION_COOKIE_PATH": "/"}  # type: ignore[dict-item]
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
    has_middleware = MIDDLEWARE in settings.MIDDLEWARE
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
