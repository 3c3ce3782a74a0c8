"""The ``Session`` model, on the table that ``django.contrib.sessions`` made."""

from __future__ import annotations

from typing import Any, ClassVar, Self, TypeVar

from dj_sessions.base_session import AbstractBaseSession, BaseSessionManager

__all__ = ["AbstractBaseSession", "BaseSessionManager", "Session", "SessionManager"]


_T = TypeVar("_T", bound="Session")


class SessionManager(BaseSessionManager[_T]):
    """The manager that migrations know."""

    use_in_migrations = True


class Session(AbstractBaseSession):
    """A visitor's session: its key, its signed data and when it expires."""

    objects: ClassVar[SessionManager[Self]] = SessionManager()

    @classmethod
    def get_session_store_class(cls) -> Any:
        from dj_sessions.backends.db import SessionStore

        return SessionStore

    class Meta(AbstractBaseSession.Meta):
        db_table = "django_session"
