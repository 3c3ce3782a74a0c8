"""Sessions of users, with their rows in the list."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.utils import timezone

from dj_sessions import _keys
from dj_sessions._key_forms import key_forms
from dj_sessions.user_sessions.models import UserSession

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def login_of(user: Any) -> dict[str, str]:
    """What the session of a user has who is logged in."""
    return {
        SESSION_KEY: user._meta.pk.value_to_string(user),
        BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend",
        HASH_SESSION_KEY: user.get_session_auth_hash(),
    }


def session_of(user: Any = None, **data: Any) -> Any:
    """A session in the store, of a user who is logged in or of nobody."""
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session.update(data)
    if user is not None:
        session.update(login_of(user))
    session.save()
    return session


def row_of(user: Any, session: Any = None, **fields: Any) -> UserSession:
    """A row with these fields, of a session that is made here unless it is given."""
    session = session or session_of(user)
    now = timezone.now()
    values = {
        "stored_key": _keys.FORMS[key_forms()[0]](session.session_key),
        "engine": settings.SESSION_ENGINE,
        "created": now,
        "last_seen": now,
        "expires": session.get_expiry_date(),
        "ip_address": "203.0.113.0",
        "user_agent": FIREFOX,
    }
    row, _ = UserSession.objects.update_or_create(
        user=user, public_id=session.public_id, defaults=values | fields
    )
    return row
