"""Through which manager sessions are looked for, and whether it hides any."""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.models import Func, Manager, QuerySet, Value


def manager_of(model: Any) -> Any:
    """Return the manager through which sessions are looked for, as Django's engine does."""
    return getattr(model, "objects", model._default_manager)


def named(rows: QuerySet[Any], key: str | None) -> QuerySet[Any]:
    """Return the row with this very key: to MariaDB, keys in another case are equal as well."""
    found = rows.filter(session_key=key)
    if key is None or connections[rows.db].vendor != "mysql":
        return found
    return found.filter(session_key=Func(Value(key), template="BINARY %(expressions)s"))


def finds_every_row(manager: Any) -> bool:
    """Return whether a manager has no query set of its own."""
    from dj_sessions.base_session import BaseSessionManager  # which wants the apps to be loaded

    usual = Manager.get_queryset, BaseSessionManager.get_queryset
    return type(manager).get_queryset in usual and manager._queryset_class is QuerySet
