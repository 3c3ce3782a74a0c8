"""Encrypted sessions: secrets that are none, and what is left unencrypted."""

from __future__ import annotations

from typing import Any, Final

from django.core.checks import Error, Warning  # noqa: A004

from dj_sessions.checks import _shared
from dj_sessions.checks._shared import AppConfigs, Messages, Unusable, use
from dj_sessions.checks.serializer import make_serializer
from dj_sessions.conf import conf
from dj_sessions.serializers import DecryptingJSONSerializer, EncryptedJSONSerializer

#: Characters that a random text of 192 bits has, and how many different ones at least.
SHORTEST: Final = 32
FEWEST: Final = 8

_MAKE: Final = (
    'Make one with: python -c "import secrets; print(secrets.token_urlsafe(32))". Put it first, '
    "and keep the others behind it while sessions are encrypted with them."
)


def check_encryption(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report secrets that are none or weak, and sessions that are not encrypted after all."""
    keys: Any = conf.SESSION_ENCRYPTION_KEYS
    if keys is not None:
        yield from _check_keys(keys)
    try:
        serializer = use(make_serializer)
    except Unusable:  # which check_serializer() reports
        return
    if not isinstance(serializer, EncryptedJSONSerializer):
        yield from _check_effect(keys)
    elif not isinstance(serializer, DecryptingJSONSerializer):
        yield from _check_use()


def _check_keys(keys: Any) -> Messages:
    is_list = isinstance(keys, list | tuple) and bool(keys)
    if not is_list or not all(isinstance(key, str | bytes) and key for key in keys):
        yield Error(
            "SESSION_ENCRYPTION_KEYS must be a list of strings, none of them empty: as it is, no "
            "session can be encrypted or read.",
            hint="Name the strings in a list, even for one, or leave the setting out to have the "
            f"key derived from SECRET_KEY. {_MAKE}",
            id="dj_sessions.E056",
        )
        return
    for place, key in enumerate(keys):
        if len(key) < SHORTEST or len(set(key)) < FEWEST:
            yield Warning(
                f"SESSION_ENCRYPTION_KEYS[{place}] has fewer than {SHORTEST} characters, or fewer "
                f"than {FEWEST} different ones: whoever has a copy of the store can guess it.",
                hint=_MAKE,
                id="dj_sessions.W057",
            )


def _check_effect(keys: Any) -> Messages:
    """Report secrets that encrypt nothing."""
    if keys is not None:
        yield Warning(
            "SESSION_ENCRYPTION_KEYS has no effect: the serializer "
            f"{conf.SESSION_SERIALIZER!r} does not encrypt.",
            hint="Set SESSION_SERIALIZER = 'dj_sessions.serializers.EncryptedJSONSerializer', or "
            "leave the keys out.",
            id="dj_sessions.W061",
        )


def _check_use() -> Messages:
    """Report what is read or kept unencrypted, though the serializer encrypts."""
    if conf.SESSION_ENCRYPTION_ACCEPT_PLAIN:
        yield Warning(
            "SESSION_ENCRYPTION_ACCEPT_PLAIN is on: whoever can write to the store can put back a "
            "session of before the encryption.",
            hint="Run 'manage.py convertsessions', or wait for SESSION_COOKIE_AGE. Then set "
            "SESSION_ENCRYPTION_ACCEPT_PLAIN = False, or leave it out.",
            id="dj_sessions.W058",
        )
    store = _shared.store_or_none()
    if store is not None and not getattr(store, "engine_name", ""):
        yield Warning(
            f"The engine {conf.SESSION_ENGINE!r} does not bind what EncryptedJSONSerializer "
            "encrypts to itself, and may keep a copy in a cache that is not encrypted.",
            hint="Set SESSION_ENGINE to an engine of 'dj_sessions.backends', derive your "
            "SessionStore from one, or set its engine_name.",
            id="dj_sessions.W059",
        )
