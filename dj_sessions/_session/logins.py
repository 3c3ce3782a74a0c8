"""What Django's authentication says of a login that a session holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.utils.crypto import constant_time_compare

from dj_sessions._codec import signed_text
from dj_sessions._session.limits import USER_ID
from dj_sessions._session.merge import LOGIN


def are_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether both hold one login, and not two of the same user."""
    # A new hash says that the password has changed, unless SECRET_KEY has.
    names = LOGIN[:2] if signed_text.has_old_keys() else LOGIN
    same = all(one.get(name) == other.get(name) for name in names)
    return same and one.get(USER_ID) is not None


def is_stale(data: Mapping[str, Any]) -> bool:
    """Return whether a login's hash is no longer its user's, as after a change of the password.

    Reads the user. One who cannot be found says nothing of the hash.
    """
    user_id, _, stored = (data.get(name) for name in LOGIN)
    if not stored or not apps.is_installed("django.contrib.auth"):
        return False
    model: Any = get_user_model()
    try:
        user = model._default_manager.get(pk=model._meta.pk.to_python(user_id))
    except (ObjectDoesNotExist, ValidationError):
        return False
    if not hasattr(user, "get_session_auth_hash"):
        return False
    valid = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return not any(constant_time_compare(stored, one) for one in valid)
