"""The class that turns sessions into bytes."""

from __future__ import annotations

from typing import Any

from django.core.checks import Error, Warning  # noqa: A004
from django.utils.module_loading import import_string

from dj_sessions.checks import _shared
from dj_sessions.checks._shared import AppConfigs, Messages, Unusable, use
from dj_sessions.conf import conf
from dj_sessions.serializers import PickleSerializer


def check_serializer(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report a serializer that cannot be used, or one that runs code."""
    hint = "Set SESSION_SERIALIZER = 'dj_sessions.serializers.JSONSerializer', or remove it."
    try:
        serializer = use(_make_serializer)
    except Unusable as error:
        yield Error(
            f"SESSION_SERIALIZER = {conf.SESSION_SERIALIZER!r} cannot be used: {error}.",
            hint=hint,
            id="dj_sessions.E019",
        )
        return
    if not isinstance(serializer, PickleSerializer):
        return
    if _is_kept_by_clients(_shared.store_or_none()):
        yield Warning(
            "PickleSerializer with signed_cookies lets whoever learns SECRET_KEY run code on "
            "the server.",
            hint=hint,
            id="dj_sessions.W021",
        )
    else:
        yield Warning(
            "PickleSerializer runs the code that a session names: whoever can write to the "
            "store and learns SECRET_KEY can run code on the server.",
            hint=hint,
            id="dj_sessions.W020",
        )


def _make_serializer() -> Any:
    serializer = import_string(_shared.text(conf.SESSION_SERIALIZER))()
    _ = serializer.dumps, serializer.loads
    return serializer


def _is_kept_by_clients(store: Any) -> bool:
    bases = getattr(store, "__mro__", ())
    return any(base.__module__.endswith(".backends.signed_cookies") for base in bases)
