"""The defaults of the settings that Django does not have."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings

#: What our own settings are where a site leaves them out.
DEFAULTS: Final[dict[str, Any]] = {
    "SESSION_FILE_FSYNC": False,
    "SESSION_CONFLICT_TIMEOUT": 10,
    "SESSION_COPY_FORMAT": "django",
    "SESSION_REDIS": None,
    "SESSION_MOVE": None,
    "SESSION_IDLE_AGE": None,
    "SESSION_ABSOLUTE_AGE": None,
    "SESSION_ANONYMOUS_AGE": None,
    "SESSION_RENEW_AFTER": None,
    "SESSION_PASSIVE_PATHS": (),
    "SESSION_KEY_STORAGE": ["plain"],
    "SESSION_COOKIE_PARTITIONED": False,
    "SESSION_COOKIE_ALSO_EXPIRE": (),
    "SESSION_COOKIE_NO_STORE": False,
    "SESSION_COOKIE_TOO_LARGE": "error",
    "SESSION_CLEAR_SITE_DATA": None,
    "SESSION_HEALTH_FULL": False,
    "SESSION_ADMIN_PANEL": False,
    "SESSION_ENCRYPTED_SERIALIZER": "dj_sessions.serializers.JSONSerializer",
    "SESSION_ENCRYPTION_KEYS": None,
    "SESSION_ENCRYPTION_ACCEPT_PLAIN": False,
    "SESSION_SECURITY_LOG": False,
    "SESSION_METRICS": None,
    "SESSION_IP_ADDRESS": "truncated",
    "SESSION_CLIENT_ADDRESS": None,
}


def ours(name: str) -> Any:
    """Return a setting that Django does not have, or its default."""
    return getattr(settings, name, DEFAULTS[name])


def fill_in_defaults() -> None:
    """Set what the site leaves out: to look for it in vain takes ten times as long."""
    for name, value in DEFAULTS.items():
        if not hasattr(settings, name):
            setattr(settings, name, value)
