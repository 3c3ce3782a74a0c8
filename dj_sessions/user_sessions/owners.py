"""Whose a row of the list is: the database does not check that the account is still there."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ObjectDoesNotExist

from dj_sessions.user_sessions.models import UserSession


def owner_of(row: UserSession) -> Any:
    """Return the user of ``row``; None if the account is gone."""
    try:
        return row.user
    except ObjectDoesNotExist:
        return None


def name_of_owner(row: UserSession) -> str:
    """Return the user of ``row`` as a text; the primary key of one who is gone."""
    owner = owner_of(row)
    return f"({row.user_id})" if owner is None else str(owner)
