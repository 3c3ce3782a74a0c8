"""Every setting that this package reads, on each access, so that changed settings take effect."""

# What a site's settings hold is the site's: the checks look at it, not the types.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import os
from typing import Any, Final, Literal

from django.conf import settings

#: Where ``settings`` keeps what was read from it, until it changes. To look here first is what
#: ``settings.NAME`` does, without the call in Python that comes before; a request reads twenty.
_read: Final[dict[str, Any]] = object.__getattribute__(settings, "__dict__")


def _now(name: str) -> Any:
    try:
        return _read[name]
    except KeyError:
        return getattr(settings, name)


class SessionSettings:
    """Typed view of the settings; Django's have Django's defaults, ours are named here.

    See https://docs.djangoproject.com/en/stable/ref/settings/#sessions.
    """

    @property
    def SESSION_ENGINE(self) -> str:
        """Dotted path of the module whose ``SessionStore`` keeps the sessions."""
        return _now("SESSION_ENGINE")

    @property
    def SESSION_SERIALIZER(self) -> str:
        """Dotted path of the class that turns session data into bytes."""
        return _now("SESSION_SERIALIZER")

    @property
    def SESSION_CACHE_ALIAS(self) -> str:
        """The cache in ``CACHES`` that ``cache`` and ``cached_db`` use."""
        return _now("SESSION_CACHE_ALIAS")

    @property
    def SESSION_FILE_PATH(self) -> str | os.PathLike[str] | None:
        """Directory of the ``file`` engine; None is the system's temporary directory."""
        return _now("SESSION_FILE_PATH")

    @property
    def SESSION_FILE_FSYNC(self) -> bool:
        """Whether the ``file`` engine waits until the disk has what it wrote; False by default."""
        return getattr(settings, "SESSION_FILE_FSYNC", False)

    @property
    def SESSION_CONFLICT_TIMEOUT(self) -> int | float:
        """Seconds for which a save that meets others' changes is tried again; 10 by default."""
        return getattr(settings, "SESSION_CONFLICT_TIMEOUT", 10)

    @property
    def SESSION_COOKIE_AGE(self) -> int:
        """Lifetime of a session in seconds."""
        return _now("SESSION_COOKIE_AGE")

    @property
    def SESSION_COOKIE_DOMAIN(self) -> str | None:
        """Domain of the cookie; None is the host that set it."""
        return _now("SESSION_COOKIE_DOMAIN")

    @property
    def SESSION_COOKIE_HTTPONLY(self) -> bool:
        """Whether the cookie is kept from JavaScript."""
        return _now("SESSION_COOKIE_HTTPONLY")

    @property
    def SESSION_COOKIE_NAME(self) -> str:
        """Name of the cookie, and prefix of the ``file`` engine's files."""
        return _now("SESSION_COOKIE_NAME")

    @property
    def SESSION_COOKIE_PATH(self) -> str:
        """Path of the cookie."""
        return _now("SESSION_COOKIE_PATH")

    @property
    def SESSION_COOKIE_SAMESITE(self) -> Literal["Lax", "Strict", "None", False]:
        """``SameSite`` of the cookie; False sends none."""
        return _now("SESSION_COOKIE_SAMESITE")

    @property
    def SESSION_COOKIE_SECURE(self) -> bool:
        """Whether the cookie is sent over HTTPS alone."""
        return _now("SESSION_COOKIE_SECURE")

    @property
    def SESSION_EXPIRE_AT_BROWSER_CLOSE(self) -> bool:
        """Whether the cookie lasts until the browser closes, where the session does not say."""
        return _now("SESSION_EXPIRE_AT_BROWSER_CLOSE")

    @property
    def SESSION_SAVE_EVERY_REQUEST(self) -> bool:
        """Whether each request saves the session and renews its cookie."""
        return _now("SESSION_SAVE_EVERY_REQUEST")

    @property
    def USE_TZ(self) -> bool:
        """Whether the site's times are aware."""
        return _now("USE_TZ")


conf = SessionSettings()
