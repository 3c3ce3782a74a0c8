"""Every setting that this package reads, on each access, so that changed settings take effect."""

# What a site's settings hold is the site's: the checks look at it, not the types.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import os
from typing import Literal

from django.conf import settings


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
        return getattr(settings, "SESSION_FILE_FSYNC", False)

    @property
    def SESSION_CONFLICT_TIMEOUT(self) -> int | float:
        """Seconds for which a save that meets others' changes is tried again; 10 by default."""
        return getattr(settings, "SESSION_CONFLICT_TIMEOUT", 10)

    @property
    def SESSION_COPY_FORMAT(self) -> Literal["django", "compact"]:
        """How ``cached_db`` keeps its copies: "django" by default, or "compact", in one entry."""
        return getattr(settings, "SESSION_COPY_FORMAT", "django")

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
    def SESSION_EXPIRE_AT_BROWSER_CLOSE(self) -> bool:
        """Whether the cookie lasts until the browser closes, where the session does not say."""
        return settings.SESSION_EXPIRE_AT_BROWSER_CLOSE

    @property
    def SESSION_SAVE_EVERY_REQUEST(self) -> bool:
        """Whether each request saves the session and renews its cookie."""
        return settings.SESSION_SAVE_EVERY_REQUEST

    @property
    def USE_TZ(self) -> bool:
        """Whether the site's times are aware."""
        return settings.USE_TZ


conf = SessionSettings()
