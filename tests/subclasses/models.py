"""Session models as sites and third-party packages write them, and models that point at one.

The app is installed for the tests of this directory alone: a foreign key to the sessions changes
what it costs to delete one, everywhere.
"""

from __future__ import annotations

import secrets
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.sessions.base_session import AbstractBaseSession as StockAbstractBaseSession
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.core.exceptions import FieldError
from django.db import models
from django.utils import timezone

from dj_sessions.base_session import AbstractBaseSession, BaseSessionManager

APP = "subclasses"


class AccountSession(AbstractBaseSession):
    """Django's documented example: one column more, which tells whose session it is."""

    account_id = models.IntegerField(null=True, db_index=True)

    class Meta(AbstractBaseSession.Meta):
        app_label = APP

    @classmethod
    def get_session_store_class(cls) -> Any:
        from tests.subclasses.engines.account import SessionStore

        return SessionStore


class StockAccountSession(StockAbstractBaseSession):
    """The same model from before the switch."""

    account_id = models.IntegerField(null=True, db_index=True)

    class Meta(StockAbstractBaseSession.Meta):
        app_label = APP

    @classmethod
    def get_session_store_class(cls) -> Any:
        from tests.subclasses.engines.stock_account import SessionStore

        return SessionStore


class MigratedManager(BaseSessionManager):
    use_in_migrations = True


class DeviceSession(AbstractBaseSession):
    """Who uses which device from where, filled in by the store (as in django-user-sessions)."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="device_sessions"
    )
    user_agent = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001
    ip = models.GenericIPAddressField(null=True, blank=True)
    last_activity = models.DateTimeField(auto_now=True)

    objects = MigratedManager()

    class Meta(AbstractBaseSession.Meta):
        app_label = APP

    @classmethod
    def get_session_store_class(cls) -> Any:
        from tests.subclasses.engines.device import SessionStore

        return SessionStore


class UncachingQuerySet(models.QuerySet["TrackedSession"]):
    def delete(self) -> tuple[int, dict[str, int]]:
        for session in self:
            session.uncache()
        return super().delete()


class TrackedSession(AbstractBaseSession):
    """Rows that keep their own history and the cache in step (as in django-qsessions)."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="tracked_sessions"
    )
    user_agent = models.CharField(max_length=300, null=True, blank=True)  # noqa: DJ001
    ip = models.GenericIPAddressField(null=True, blank=True)
    created_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = MigratedManager.from_queryset(UncachingQuerySet)()

    class Meta(AbstractBaseSession.Meta):
        app_label = APP

    @classmethod
    def get_session_store_class(cls) -> Any:
        return import_module(settings.SESSION_ENGINE).SessionStore

    def save(self, *args: Any, **kwargs: Any) -> None:
        stored = TrackedSession.objects.filter(pk=self.pk).first()
        self.created_at = timezone.now() if stored is None else stored.created_at
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        self.uncache()
        return super().delete(*args, **kwargs)

    def uncache(self) -> None:
        prefix = getattr(self.get_session_store_class(), "cache_key_prefix", None)
        if prefix is not None:
            caches[settings.SESSION_CACHE_ALIAS].delete(prefix + self.session_key)


class StandingManager(BaseSessionManager):
    def get_queryset(self) -> Any:
        return super().get_queryset().filter(revoked=False)


class RevocableSession(AbstractBaseSession):
    """A session of which a trace is left: its end marks the row, which `objects` then hides."""

    revoked = models.BooleanField(default=False)

    everything = models.Manager()
    objects = StandingManager()

    class Meta(AbstractBaseSession.Meta):
        app_label = APP

    def delete(self) -> None:  # type: ignore[override]
        RevocableSession.everything.filter(pk=self.pk).update(revoked=True)


class BareSession(models.Model):
    """A session that is written on no base, with a manager of another name."""

    session_key = models.CharField(max_length=40, primary_key=True)
    session_data = models.TextField()
    expire_date = models.DateTimeField()

    rows = models.Manager()

    class Meta:
        app_label = APP

    def __str__(self) -> str:
        return str(self.session_key)


class SealedField(models.TextField):
    """Seals a text anew each time, as encryption with a nonce does, and so allows no lookups."""

    def get_prep_value(self, value: Any) -> str:
        return f"{secrets.token_hex(8)}{super().get_prep_value(value)[::-1]}"

    def from_db_value(self, value: str, *rest: Any) -> str:
        return value[16:][::-1]

    def get_lookup(self, name: str) -> Any:
        raise FieldError(f"what is sealed has no {name}")


class SealedSession(AbstractBaseSession):
    """A session that a field seals."""

    session_data = SealedField()

    class Meta(AbstractBaseSession.Meta):
        app_label = APP


class TurnedSession(AbstractBaseSession):
    """A session that the model itself seals, when it is saved and loaded."""

    class Meta(AbstractBaseSession.Meta):
        app_label = APP

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> Any:
        row = super().from_db(*args, **kwargs)
        row.session_data = row.session_data[::-1]
        return row

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.session_data = self.session_data[::-1]
        super().save(*args, **kwargs)


class NamedSession(AbstractBaseSession):
    """A session that other tables know by another name than its secret key."""

    public_id = models.UUIDField(unique=True)

    class Meta(AbstractBaseSession.Meta):
        app_label = APP


class Visit(models.Model):
    """A visit of a page, named by the session's public name."""

    session = models.ForeignKey(NamedSession, models.CASCADE, to_field="public_id")

    class Meta:
        app_label = APP

    def __str__(self) -> str:
        return str(self.session_id)


class InheritedSession(Session):
    """A session in two tables: the site's own columns stand beside Django's row."""

    note = models.CharField(max_length=20, default="from the store")

    class Meta:
        app_label = APP


class ReadableSession(Session):
    """The same rows for an admin with columns of its own."""

    class Meta:
        app_label = APP
        proxy = True


class EvenMoreReadableSession(ReadableSession):
    """The same again: a proxy of a proxy."""

    class Meta:
        app_label = APP
        proxy = True


class ReadableInheritedSession(InheritedSession):
    """The rows of both tables under another name."""

    class Meta:
        app_label = APP
        proxy = True


class NumberedSession(models.Model):
    """A session with a number, by which other tables know it."""

    session_key = models.CharField(max_length=40, unique=True)
    session_data = models.TextField()
    expire_date = models.DateTimeField()

    class Meta:
        app_label = APP

    def __str__(self) -> str:
        return str(self.pk)


class Basket(models.Model):
    """Goes with its session."""

    session = models.ForeignKey(Session, models.CASCADE, related_name="baskets")
    fruit = models.CharField(max_length=20)

    class Meta:
        app_label = APP

    def __str__(self) -> str:
        return self.fruit


class Order(models.Model):
    """Outlives its session."""

    session = models.ForeignKey(Session, models.SET_NULL, null=True, related_name="orders")
    fruit = models.CharField(max_length=20)

    class Meta:
        app_label = APP

    def __str__(self) -> str:
        return self.fruit


class Wish(models.Model):
    """Goes with its session, which does not know of it."""

    session = models.ForeignKey(Session, models.CASCADE, related_name="+")

    class Meta:
        app_label = APP

    def __str__(self) -> str:
        return str(self.session_id)


class Note(models.Model):
    """Goes with whatever it is about."""

    content_type = models.ForeignKey("contenttypes.ContentType", models.CASCADE)
    object_id = models.CharField(max_length=40)
    about = GenericForeignKey()

    class Meta:
        app_label = APP

    def __str__(self) -> str:
        return str(self.object_id)


class TaggedSession(AbstractBaseSession):
    """A session with rows in other tables that belong to it."""

    groups = models.ManyToManyField("auth.Group")
    notes = GenericRelation(Note)

    class Meta(AbstractBaseSession.Meta):
        app_label = APP
