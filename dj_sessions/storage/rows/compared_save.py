"""A row saved by the ORM, whose UPDATE compares: for a model that somebody watches.

Receivers, overrides and the tables of parents see what they would see without the comparison,
and the row is not locked by a statement of its own first.
"""

from __future__ import annotations

from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import QuerySet


class WriteConflict(DatabaseError):
    """The row is not as expected any more. It ends a ``save()``, as no row to update does."""


class ComparedSave:
    """One ``save()`` of an instance, which replaces the row if it is as expected."""

    def __init__(
        self, instance: Any, same: QuerySet[Any] | None, condition: dict[str, object]
    ) -> None:
        """Compare with ``same``; without it, with the rows of the ORM that fit ``condition``."""
        self._instance, self._same, self._condition = instance, same, condition
        self._replaced: bool | None = None

    def save(self, using: str) -> bool | None:
        """Return whether the row was replaced; None, and undone, if ``save()`` asked no ORM."""
        self._instance._do_update = self._do_update
        try:
            with transaction.atomic(using=using):
                self._instance.save(force_update=True, using=using)
                if not self._replaced:  # also if an override keeps the error to itself
                    transaction.set_rollback(True, using=using)
        except WriteConflict:
            return False
        finally:
            vars(self._instance).pop("_do_update", None)
        return self._replaced

    def _do_update(self, rows: QuerySet[Any], *arguments: Any) -> Any:
        """Take the place of the ORM's method, which sends the UPDATE of one of the tables."""
        update = type(self._instance)._do_update
        if not any(field.name == "session_data" for field in rows.model._meta.local_fields):
            return update(self._instance, rows, *arguments)
        del self._instance._do_update  # what an override saves after this has no such condition
        same = rows.filter(**self._condition) if self._same is None else self._same
        updated = update(self._instance, same, *arguments)
        self._replaced = bool(updated)
        if not updated:
            raise WriteConflict("The row was changed, or removed, by somebody else.")
        return updated
