"""Every setting that this package reads, on each access, so that changed settings take effect."""

# What a site's settings hold is the site's: the checks look at it, not the types.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import os
from importlib import import_module
from operator import attrgetter
from typing import Any, Final, Literal

from django.conf import settings

from dj_sessions._defaults import ours as _ours


def store_class() -> Any:
    """Return the class that keeps the sessions; raises what importing its module raises."""
    return import_module(conf.SESSION_ENGINE).SessionStore


_LIMITS: Final = (
    "SESSION_IDLE_AGE",
    "SESSION_ABSOLUTE_AGE",
    "SESSION_ANONYMOUS_AGE",
    "SESSION_RENEW_AFTER",
)
_NO_LIMITS: Final = (None,) * len(_LIMITS)
#: All in one step, as each load and each save asks whether there are any.
_limits_in: Final = attrgetter(*_LIMITS)


def has_limits() -> bool:
    """Return whether a setting limits how long sessions last, or has their use renew them."""
    try:
        return _limits_in(settings) != _NO_LIMITS
    except AttributeError:  # the app is not installed, and has filled in nothing
        return tuple(map(_ours, _LIMITS)) != _NO_LIMITS


class SessionSettings:
    """Typed view of the settings; Django's have Django's defaults, ours are named here.

    See https://docs.djangoproject.com/en/stable/ref/settings/#sessions.
    """

    @property
    def SESSION_ENGINE(self) -> str:
        """Dotted path of the module whose ``SessionStore`` keeps the sessions."""
        return settings.SESSION_ENGINE

    @property
    def SESSION_SERIALIZER(self) -> str:
        """Dotted path of the class that turns session data into bytes."""
        return settings.SESSION_SERIALIZER

    @property
    def SESSION_CACHE_ALIAS(self) -> str:
        """The cache in ``CACHES`` that ``cache`` and ``cached_db`` use."""
        return settings.SESSION_CACHE_ALIAS

    @property
    def SESSION_FILE_PATH(self) -> str | os.PathLike[str] | None:
        """Directory of the ``file`` engine; None is the system's temporary directory."""
        return settings.SESSION_FILE_PATH

    @property
    def SESSION_FILE_FSYNC(self) -> bool:
        """Whether the ``file`` engine waits until the disk has what it wrote; False by default."""
        return _ours("SESSION_FILE_FSYNC")

    @property
    def SESSION_CONFLICT_TIMEOUT(self) -> int | float:
        """Seconds for which a save that meets others' changes is tried again; 10 by default."""
        return _ours("SESSION_CONFLICT_TIMEOUT")

    @property
    def SESSION_COPY_FORMAT(self) -> Literal["django", "compact"]:
        """How ``cached_db`` keeps its copies: "django" by default, or "compact", in one entry."""
        return _ours("SESSION_COPY_FORMAT")

    @property
    def SESSION_REDIS(self) -> dict[str, Any] | None:
        """Where the ``redis`` engine finds its server; it has to be set for that engine."""
        return _ours("SESSION_REDIS")

    @property
    def SESSION_MOVE(self) -> dict[str, Any] | None:
        """From which engine to which one ``moving`` has sessions move; it has to be set for that.

        ``"FROM"`` and ``"TO"`` are engines, ``"PHASE"`` is "prepare" or "move", the default.
        """
        return _ours("SESSION_MOVE")

    @property
    def SESSION_IDLE_AGE(self) -> int | None:
        """Seconds without use after which a session ends; None, the default, for no limit."""
        return _ours("SESSION_IDLE_AGE")

    @property
    def SESSION_ABSOLUTE_AGE(self) -> int | None:
        """Seconds from login, or first save, until a session ends; None, the default: never."""
        return _ours("SESSION_ABSOLUTE_AGE")

    @property
    def SESSION_ANONYMOUS_AGE(self) -> int | None:
        """Lifetime in seconds of a session without a user; None, the default, for no limit."""
        return _ours("SESSION_ANONYMOUS_AGE")

    @property
    def SESSION_RENEW_AFTER(self) -> int | None:
        """Seconds after a save from which on the use of a session saves it again; None: never.

        By default a tenth of SESSION_IDLE_AGE, at most 60, where that is set.
        """
        after: int | None = _ours("SESSION_RENEW_AFTER")
        idle = self.SESSION_IDLE_AGE
        if after is not None or not isinstance(idle, int | float):
            return after
        return max(0, min(60, idle // 10))

    @property
    def SESSION_PASSIVE_PATHS(self) -> list[str] | tuple[str, ...]:
        """Beginnings of paths whose requests do not count as use; none by default."""
        return _ours("SESSION_PASSIVE_PATHS")

    @property
    def SESSION_KEY_STORAGE(self) -> list[str] | tuple[str, ...]:
        """The forms in which keys are stored and looked up, the first for new ones; ["plain"]."""
        return _ours("SESSION_KEY_STORAGE")

    @property
    def SESSION_ENCRYPTED_SERIALIZER(self) -> str:
        """Dotted path of the class whose bytes ``EncryptedJSONSerializer`` encrypts."""
        return _ours("SESSION_ENCRYPTED_SERIALIZER")

    @property
    def SESSION_ENCRYPTION_KEYS(self) -> list[str | bytes] | tuple[str | bytes, ...] | None:
        """Secrets, of which the first encrypts and all decrypt; None, the default: SECRET_KEY."""
        return _ours("SESSION_ENCRYPTION_KEYS")

    @property
    def SESSION_ENCRYPTION_ACCEPT_PLAIN(self) -> bool:
        """Whether sessions that are not encrypted are read as well; False by default."""
        return _ours("SESSION_ENCRYPTION_ACCEPT_PLAIN")

    @property
    def SESSION_COOKIE_AGE(self) -> int:
        """Lifetime of a session in seconds."""
        return settings.SESSION_COOKIE_AGE

    @property
    def SESSION_COOKIE_DOMAIN(self) -> str | None:
        """Domain of the cookie; None is the host that set it."""
        return settings.SESSION_COOKIE_DOMAIN

    @property
    def SESSION_COOKIE_HTTPONLY(self) -> bool:
        """Whether the cookie is kept from JavaScript."""
        return settings.SESSION_COOKIE_HTTPONLY

    @property
    def SESSION_COOKIE_NAME(self) -> str:
        """Name of the cookie, and prefix of the ``file`` engine's files."""
        return settings.SESSION_COOKIE_NAME

    @property
    def SESSION_COOKIE_PATH(self) -> str:
        """Path of the cookie."""
        return settings.SESSION_COOKIE_PATH

    @property
    def SESSION_COOKIE_SAMESITE(self) -> Literal["Lax", "Strict", "None", False]:
        """``SameSite`` of the cookie; False sends none."""
        return settings.SESSION_COOKIE_SAMESITE

    @property
    def SESSION_COOKIE_SECURE(self) -> bool:
        """Whether the cookie is sent over HTTPS alone."""
        return settings.SESSION_COOKIE_SECURE

    @property
    def SESSION_COOKIE_PARTITIONED(self) -> bool:
        """Whether the cookie is kept apart for each site that shows ours in a frame; False."""
        return _ours("SESSION_COOKIE_PARTITIONED")

    @property
    def SESSION_COOKIE_ALSO_EXPIRE(self) -> list[dict[str, Any]] | tuple[dict[str, Any], ...]:
        """Where older cookies of the name are, to be expired with the next one; none by default."""
        return _ours("SESSION_COOKIE_ALSO_EXPIRE")

    @property
    def SESSION_COOKIE_NO_STORE(self) -> bool:
        """Whether responses with the cookie have ``Cache-Control: no-store``; False by default."""
        return _ours("SESSION_COOKIE_NO_STORE")

    @property
    def SESSION_COOKIE_TOO_LARGE(self) -> Literal["error", "warning"]:
        """What a session of ``signed_cookies`` is that fits no cookie: "error" or "warning"."""
        return _ours("SESSION_COOKIE_TOO_LARGE")

    @property
    def SESSION_CLEAR_SITE_DATA(self) -> str | list[str] | tuple[str, ...] | None:
        """What the response to a logout has the browser delete; None, the default: nothing."""
        return _ours("SESSION_CLEAR_SITE_DATA")

    @property
    def SESSION_HEALTH_FULL(self) -> bool:
        """Whether the health URL runs the whole check when it is asked for that; False."""
        return _ours("SESSION_HEALTH_FULL")

    @property
    def SESSION_ADMIN_PANEL(self) -> bool:
        """Whether the admin's index shows what sessions there are; False by default."""
        return _ours("SESSION_ADMIN_PANEL")

    @property
    def SESSION_EXPIRE_AT_BROWSER_CLOSE(self) -> bool:
        """Whether the cookie lasts until the browser closes, where the session does not say."""
        return settings.SESSION_EXPIRE_AT_BROWSER_CLOSE

    @property
    def SESSION_SAVE_EVERY_REQUEST(self) -> bool:
        """Whether each request saves the session and renews its cookie."""
        return settings.SESSION_SAVE_EVERY_REQUEST

    @property
    def SESSION_SECURITY_LOG(self) -> bool | list[str] | tuple[str, ...]:
        """Whether there is a security log, or of which events; False by default."""
        return _ours("SESSION_SECURITY_LOG")

    @property
    def SESSION_METRICS(self) -> str | list[str] | tuple[str, ...] | None:
        """Who is told what is counted, one or several; None, the default, for nobody.

        "prometheus", "opentelemetry", or the dotted path of ``f(name, value, attributes)``.
        """
        return _ours("SESSION_METRICS")

    @property
    def SESSION_IP_ADDRESS(self) -> Literal["full", "truncated", "none"]:
        """How much of an address is kept; "truncated" by default, to /24 or /48."""
        return _ours("SESSION_IP_ADDRESS")

    @property
    def SESSION_CLIENT_ADDRESS(self) -> str | None:
        """Dotted path of ``f(request)``, the client's address; None, the default: REMOTE_ADDR."""
        return _ours("SESSION_CLIENT_ADDRESS")

    @property
    def USE_TZ(self) -> bool:
        """Whether the site's times are aware."""
        return settings.USE_TZ


conf = SessionSettings()
