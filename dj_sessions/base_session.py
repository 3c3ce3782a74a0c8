"""The abstract session model and its manager; importable without the app being installed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar, Self, TypeVar

from django.contrib.sessions.base_session import AbstractBaseSession as DjangoAbstractBaseSession
from django.contrib.sessions.base_session import BaseSessionManager as DjangoBaseSessionManager
from django.db import models
from django.utils import timezone

from dj_sessions._codec import forwards
from dj_sessions._keys import shorten
from dj_sessions._translations import gettext_lazy as _

__all__ = ["AbstractBaseSession", "BaseSessionManager"]


_T = TypeVar("_T", bound=DjangoAbstractBaseSession)


def without_forwards(rows: models.QuerySet[_T]) -> models.QuerySet[_T]:
    """Leave out the rows that requests under way may still need to find a session's new key."""
    if type(rows.model._meta.get_field("session_data")) is not models.TextField:
        return rows  # it may have no lookups, and keeps no forwards
    now = timezone.now()
    needed = models.Q(
        expire_date__lte=now,
        expire_date__gt=now - timedelta(seconds=forwards.AGE),
        session_data__startswith=forwards.MARK,
    )
    return rows.filter(~needed)


class BaseSessionManager(DjangoBaseSessionManager[_T]):
    """Stores sessions from their data.

    https://docs.djangoproject.com/en/stable/topics/http/sessions/#django.contrib.sessions.base_session.BaseSessionManager
    """

    def get_queryset(self) -> models.QuerySet[_T]:
        """Return the sessions, without the rows that have just begun to lead to a new key.

        After a minute such a row is one more that has expired.
        """
        return without_forwards(super().get_queryset())

    def encode(self, session_dict: dict[str, Any]) -> str:
        """Return the data as the model's store class writes it."""
        store: Any = self.model.get_session_store_class()
        payload: str = store().encode(session_dict)
        return payload

    def save(self, session_key: str, session_dict: dict[str, Any], expire_date: datetime) -> _T:
        """Store ``session_dict`` under the key, or remove the row if it is empty."""
        session = self.model(session_key, self.encode(session_dict), expire_date)
        if session_dict:
            session.save()
        else:
            session.delete()
        return session


class AbstractBaseSession(DjangoAbstractBaseSession):
    """A session as a row; add columns in a subclass and fill them in ``create_model_instance()``.

    https://docs.djangoproject.com/en/stable/topics/http/sessions/#django.contrib.sessions.base_session.AbstractBaseSession
    """

    session_key = models.CharField(_("session key"), max_length=40, primary_key=True)
    session_data = models.TextField(_("session data"))
    expire_date = models.DateTimeField(_("expire date"), db_index=True)

    objects: ClassVar[BaseSessionManager[Self]] = BaseSessionManager()

    class Meta:
        abstract = True
        verbose_name = _("session")
        verbose_name_plural = _("sessions")

    def __str__(self) -> str:
        """Return the start of the key: whoever reads the whole key can be that visitor."""
        return shorten(self.session_key)

    @classmethod
    def get_session_store_class(cls) -> Any:
        """Return the ``SessionStore`` that reads this model's payloads."""
        raise NotImplementedError(f"{cls.__qualname__} must provide get_session_store_class()")

    def get_decoded(self) -> dict[str, Any]:
        """Return the data of this session; none of a row that only leads to its new key."""
        if forwards.found_in(self.session_data) is not None:
            return {}
        data: dict[str, Any] = self.get_session_store_class()().decode(self.session_data)
        return data
