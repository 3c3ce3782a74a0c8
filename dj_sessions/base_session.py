"""The abstract session model and its manager. They import without the app in INSTALLED_APPS."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar, Self, TypeVar

from django.contrib.sessions.base_session import AbstractBaseSession as DjangoAbstractBaseSession
from django.contrib.sessions.base_session import BaseSessionManager as DjangoBaseSessionManager
from django.db import models
from django.utils import timezone
from django.utils.functional import cached_property

from dj_sessions._codec import forwards
from dj_sessions._key_forms import names_of
from dj_sessions._keys import is_hashed, public_id, shorten
from dj_sessions._translations import gettext_lazy as _

__all__ = ["AbstractBaseSession", "BaseSessionManager"]


_T = TypeVar("_T", bound=DjangoAbstractBaseSession)


def without_forwards(rows: models.QuerySet[_T]) -> models.QuerySet[_T]:
    """Leave out the rows from which requests under way still find a session's new key."""
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
        """Return the sessions, without the rows that still lead to a session's new key.

        After a minute, such a row counts as any other expired row.
        """
        return without_forwards(super().get_queryset())

    def for_key(self, session_key: str) -> models.QuerySet[_T]:
        """Return the session of a key, such as ``request.session.session_key``: one row, or none.

        It finds the row in whichever form ``SESSION_KEY_STORAGE`` has keys stored. That form itself
        is no key, and finds none.
        """
        names = () if is_hashed(session_key) else names_of(session_key)
        return self.get_queryset().filter(session_key__in=names)

    def encode(self, session_dict: dict[str, Any]) -> str:
        """Return the data as the model's store class writes it."""
        store: Any = self.model.get_session_store_class()
        payload: str = store().encode(session_dict)
        return payload

    def save(self, session_key: str, session_dict: dict[str, Any], expire_date: datetime) -> _T:
        """Store ``session_dict`` under the key, or remove the row if it is empty."""
        name, *others = dict.fromkeys(names_of(session_key))
        session = self.model(name, self.encode(session_dict), expire_date)
        if session_dict:
            session.save()
        else:
            session.delete()
        if others:  # what is left of it in another form
            self.get_queryset().filter(session_key__in=others).delete()
        return session


class AbstractBaseSession(DjangoAbstractBaseSession):
    """A session as a row. To add columns, subclass it and fill them in ``create_model_instance()``.

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
        """Return the start of the key: anybody with the whole key can act as that visitor."""
        return shorten(self.session_key)

    @cached_property  # which gives way to a column of this name
    def public_id(self) -> str:
        """The ``public_id`` of the session: a short identifier that is no secret."""
        return public_id(self.session_key)

    @classmethod
    def get_session_store_class(cls) -> Any:
        """Return the ``SessionStore`` that reads this model's payloads."""
        raise NotImplementedError(f"{cls.__qualname__} must provide get_session_store_class()")

    def get_decoded(self) -> dict[str, Any]:
        """Return the data of this session; none if the row only leads to its new key."""
        if forwards.found_in(self.session_data) is not None:
            return {}
        data: dict[str, Any] = self.get_session_store_class()().decode(self.session_data)
        return data
