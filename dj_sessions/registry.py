"""Registries: whoever has to know of a session before it is stored.

Signals tell of what has happened. A registry is asked first, so its list may name a session that is
gone, and never misses one that lives: ``dj_sessions.user_sessions`` is one. Derive from
``Registry``, and ``register()`` an instance when the app is ready.
"""

from dj_sessions._session.modes import Mode
from dj_sessions._session.registries import (
    UNKNOWN,
    IsPassive,
    Registry,
    Save,
    current_request,
    note_owner,
    register,
    registries,
)

__all__ = [
    "UNKNOWN",
    "IsPassive",
    "Mode",
    "Registry",
    "Save",
    "current_request",
    "note_owner",
    "register",
    "registries",
]
