"""In which form keys are stored, and by whom that is not kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.checks import Error, Warning  # noqa: A004
from django.core.exceptions import ImproperlyConfigured

from dj_sessions import _keys
from dj_sessions._key_forms import has_plain_keys, key_forms
from dj_sessions.backends.stored import StoredSession
from dj_sessions.checks import _shared
from dj_sessions.checks._shared import APP, DJANGO_APP, AppConfigs, Messages, Unusable, use
from dj_sessions.conf import conf


def check_key_storage(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report a SESSION_KEY_STORAGE that cannot be used, or that the engine does not keep."""
    if has_plain_keys():
        return
    try:
        forms = key_forms()
    except ImproperlyConfigured as error:
        yield Error(
            str(error),
            hint="Set SESSION_KEY_STORAGE = ['plain'], as Django stores keys, or "
            "['hashed', 'plain']: ['hashed'] alone finds no session that has a plain key.",
            id="dj_sessions.E052",
        )
        return
    if "hashed" in forms:
        yield from _check_engine()


def _check_engine() -> Iterator[Error | Warning]:
    name, store = conf.SESSION_ENGINE, _shared.store_or_none()
    if store is None:
        return
    if str(store.__module__).startswith(f"{DJANGO_APP}."):
        yield Warning(
            f"SESSION_KEY_STORAGE = {conf.SESSION_KEY_STORAGE!r} has no effect: SESSION_ENGINE = "
            f"{name!r} is Django's own. It stores keys as they are, and takes a hashed key in a "
            "cookie for the key of the session.",
            hint=f"Set SESSION_ENGINE = {name.replace(DJANGO_APP, APP)!r} on every server first, "
            "and then SESSION_KEY_STORAGE.",
            id="dj_sessions.W053",
        )
    elif not issubclass(store, StoredSession):
        yield Warning(
            f"SESSION_KEY_STORAGE = {conf.SESSION_KEY_STORAGE!r} has no effect: SESSION_ENGINE = "
            f"{name!r} keeps no sessions in a storage.",
            hint="Remove SESSION_KEY_STORAGE, or set SESSION_ENGINE to 'dj_sessions.backends.db', "
            "'cached_db', 'cache', 'redis' or 'file'.",
            id="dj_sessions.W054",
        )
    else:
        yield from _check_column(store)


def _check_column(store: Any) -> Iterator[Error]:
    get_model = getattr(store, "get_model_class", None)
    if get_model is None:
        return
    try:
        column = use(get_model)._meta.get_field("session_key")
    except Unusable:  # which another check reports
        return
    width = getattr(column, "max_length", None)
    if width is not None and width < _keys.MAX_LENGTH:
        yield Error(
            f"{column} takes {width} characters, and a hashed key has {_keys.MAX_LENGTH}.",
            hint=f"Set max_length={_keys.MAX_LENGTH} in the model, run 'manage.py makemigrations' "
            "and 'manage.py migrate'.",
            id="dj_sessions.E055",
        )
