"""Sessions in the database.

https://docs.djangoproject.com/en/stable/topics/http/sessions/#using-database-backed-sessions
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.db import DatabaseError, router
from django.utils import timezone
from django.utils.functional import cached_property

from dj_sessions._session.modes import Mode
from dj_sessions._session.twins import in_thread, operation
from dj_sessions.backends._hooked_rows import HookedRows
from dj_sessions.backends.base import CreateError, SessionBase, UpdateError
from dj_sessions.backends.stored import StoredSession
from dj_sessions.storage import Record, Storage
from dj_sessions.storage.rows.prepared import reasons, rows_of
from dj_sessions.storage.rows.record import RowRecord
from dj_sessions.storage.rows.storage import RowStorage, places_to_read
from dj_sessions.storage.rows.watchers import Reason

__all__ = [
    "CreateError",
    "DatabaseError",
    "SessionBase",
    "SessionStore",
    "SuspiciousOperation",
    "UpdateError",
]


class SessionStore(StoredSession):
    """Sessions as rows of a model; a subclass may bring its own model and columns.

    https://docs.djangoproject.com/en/stable/topics/http/sessions/#extending-database-backed-session-engines
    """

    engine_name = "db"

    @classmethod
    def get_model_class(cls) -> Any:
        """Return the model: whichever is installed as ``sessions.Session``.

        Raises ImproperlyConfigured if none is.
        """
        try:
            return apps.get_model("sessions", "Session")
        except LookupError as error:
            raise ImproperlyConfigured(
                f"{cls.__module__}.{cls.__qualname__} keeps sessions in the database, but no app "
                "has the model sessions.Session. Add 'dj_sessions' to INSTALLED_APPS and run "
                "'manage.py migrate', or override get_model_class()."
            ) from error

    acreate_model_instance: Callable[[dict[str, Any]], Coroutine[Any, Any, Any]]
    _aget_session_from_db: Callable[[], Coroutine[Any, Any, Any]]

    @cached_property
    def model(self) -> Any:
        """The model of ``get_model_class()``."""
        return self.get_model_class()

    @operation
    async def create_model_instance(self, mode: Mode, data: dict[str, Any]) -> Any:
        """Return the row for ``data``, to be stored; override it to fill further columns."""
        key = await mode(self._get_or_create_session_key, self._aget_or_create_session_key)
        ends = await mode(self.get_expiry_date, self.aget_expiry_date)
        name, payload = self._name_of(key), self.encode(data)
        return self.model(session_key=name, session_data=payload, expire_date=ends)

    @in_thread
    def _get_session_from_db(self) -> Any:
        """Return the row of this session, or None if it is unknown or has expired.

        Where it is overridden it is what sessions are read with.
        """
        now = timezone.now()
        for name in self._names_of(self._session_key) if self._session_key else ():
            for using in places_to_read(self.model):
                row = rows_of(self.model, using).instance(name, now)
                if row is not None:
                    return row
        self._session_key = None  # also for an override that takes it for granted, and fails
        return None

    def get_storage(self) -> Storage:
        """Return the rows of the model."""
        return self._rows()

    def _rows(self, store: type | None = None) -> RowStorage:
        own_keys = self._makes_own_keys()
        if self._finds_rows_its_own_way():
            return HookedRows(self.model, self, has_own_keys=own_keys, store=store)
        return RowStorage(self.model, has_own_keys=own_keys, store=store)

    def _finds_rows_its_own_way(self) -> bool:
        kind, ours = type(self), SessionStore
        return (
            kind._get_session_from_db is not ours._get_session_from_db
            or kind._aget_session_from_db is not ours._aget_session_from_db
        )

    @classmethod
    def _orm_reasons(cls, model: Any) -> Iterator[tuple[str, Reason]]:
        """Yield why rows go through the ORM, each with what is done to them."""
        return reasons(model, router.db_for_write(model))

    async def _make_record(self, mode: Mode, data: dict[str, Any]) -> Record:
        row = await mode(self.create_model_instance, self.acreate_model_instance, data)
        return RowRecord(row.session_data, row.expire_date, instance=row)

    def _within_limits(self, record: Any) -> Record:
        row = record.instance
        row.expire_date = self._limited_date(row.expire_date, timezone.now())
        return super()._within_limits(record)
