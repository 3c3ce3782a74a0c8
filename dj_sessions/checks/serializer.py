"""The class that turns sessions into bytes."""

from __future__ import annotations

from typing import Any, Final

from django.core.checks import Error, Warning  # noqa: A004
from django.utils.module_loading import import_string

from dj_sessions.checks import _shared
from dj_sessions.checks._shared import AppConfigs, Messages, Unusable, use
from dj_sessions.conf import conf
from dj_sessions.serializers import (
    EncryptedJSONSerializer,
    PickleSerializer,
    PickleToJSONSerializer,
)

#: What to name instead.
JSON: Final = "dj_sessions.serializers.JSONSerializer"


def check_serializer(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report a serializer that cannot be used, or one that runs code."""
    try:
        serializer = use(make_serializer)
    except Unusable as error:
        yield Error(
            f"SESSION_SERIALIZER = {conf.SESSION_SERIALIZER!r} cannot be used: {error}.",
            hint=f"Correct the name, install what it needs, or set SESSION_SERIALIZER = {JSON!r}.",
            id="dj_sessions.E019",
        )
        return
    setting = "SESSION_SERIALIZER"
    if isinstance(serializer, EncryptedJSONSerializer):
        serializer, setting = serializer.inner, "SESSION_ENCRYPTED_SERIALIZER"
    if isinstance(serializer, PickleToJSONSerializer):
        yield _reads_pickles(serializer, setting)
    elif isinstance(serializer, PickleSerializer):
        yield _writes_pickles(setting)


def _writes_pickles(setting: str) -> Warning:
    hint = (
        "To log nobody out, name PickleToJSONSerializer until all sessions are converted. Or set "
        f"{setting} = {JSON!r}, or remove it. That logs everybody out, once."
    )
    if _shared.is_kept_by_clients(_shared.store_or_none()):
        return Warning(
            "PickleSerializer with signed_cookies lets whoever learns SECRET_KEY run code on "
            "the server.",
            hint=hint,
            id="dj_sessions.W021",
        )
    return Warning(
        "PickleSerializer can run code when it loads a session: whoever can write to the "
        "store and learns SECRET_KEY can run code on the server.",
        hint=hint,
        id="dj_sessions.W020",
    )


def _reads_pickles(serializer: PickleToJSONSerializer, setting: str) -> Warning:
    writes = type(serializer).writes
    name = f"{writes.__module__}.{getattr(writes, '__qualname__', writes)}"
    if name == "django.core.signing.JSONSerializer":
        name = JSON
    return Warning(
        "PickleToJSONSerializer still reads pickles, which can run code: whoever learns SECRET_KEY "
        "and can write to the store, or send a cookie with signed_cookies, can run code on the "
        "server.",
        hint="Run 'manage.py convertsessions', or wait for SESSION_COOKIE_AGE. Then set "
        f"{setting} = {name!r}.",
        id="dj_sessions.W060",
    )


def make_serializer() -> Any:
    """Return an instance of SESSION_SERIALIZER; raises whatever that raises."""
    serializer = import_string(_shared.text(conf.SESSION_SERIALIZER))()
    _ = serializer.dumps, serializer.loads
    return serializer
