"""The table of the list, for whoever runs before, or below, the model's module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import router

APP: Final = "dj_user_sessions"


def model() -> Any:
    """Return the model ``UserSession``."""
    return apps.get_model(APP, "UserSession")


def database() -> str:
    """Return the alias of the database that the list is written to."""
    return router.db_for_write(model())


def rows() -> Any:
    """Return all rows, from where they are written."""
    return model().objects.using(database())


def in_batches(some: Any, size: int) -> Iterator[list[Any]]:
    """Yield rows in the order in which they were made, ``size`` at a time."""
    last, ordered = 0, some.order_by("pk")
    while batch := list(ordered.filter(pk__gt=last)[:size]):
        yield batch
        last = batch[-1].pk


def as_user_id(owner: str | None) -> Any:
    """Return a user's id as it is in a session, as that of the model; None if it can be none."""
    field = model()._meta.get_field("user").target_field
    try:
        return field.to_python(owner)
    except ValidationError:
        return None
