"""The operations of the engine in the settings."""

from __future__ import annotations

from importlib import import_module
from itertools import count
from typing import Any

from django.conf import settings
from django.core.cache import caches

from tests.benchmarks.sampling import Calls
from tests.benchmarks.subjects import DATA

numbers = count()


def subject(name: str) -> Calls:
    return OPERATIONS[name]()


def store_class() -> Any:
    return import_module(settings.SESSION_ENGINE).SessionStore


def new_session() -> Any:
    """A session with data that is not stored yet."""
    session = store_class()()
    session.update(DATA)
    return session


def stored_session() -> Any:
    session = new_session()
    session.create()
    return session


def _create() -> Calls:
    return Calls(lambda session: session.create(), make=new_session, tidy=_delete)


def _load() -> Calls:
    SessionStore, key = store_class(), stored_session().session_key
    return Calls(lambda _: SessionStore(key).load())


def _load_miss() -> Calls:
    """A load that the cache knows nothing of."""
    SessionStore = store_class()

    def uncached() -> str:
        session = stored_session()
        caches[settings.SESSION_CACHE_ALIAS].delete(session.cache_key)
        return str(session.session_key)

    return Calls(
        lambda key: SessionStore(key).load(),
        make=uncached,
        tidy=lambda key: _delete(SessionStore(key)),
    )


def _save() -> Calls:
    session = store_class()(stored_session().session_key)
    session.load()

    def save(_: object) -> None:
        session["number"] = next(numbers)
        session.save()

    return Calls(save)


def _save_after_load() -> Calls:
    SessionStore, key = store_class(), stored_session().session_key

    def save(_: object) -> None:
        session = SessionStore(key)
        session["number"] = next(numbers)
        session.save()

    return Calls(save)


def _cycle_key() -> Calls:
    session = stored_session()
    return Calls(lambda _: session.cycle_key())


def _flush() -> Calls:
    SessionStore = store_class()
    return Calls(
        lambda session: session.flush(), make=lambda: SessionStore(stored_session().session_key)
    )


def _delete(session: Any) -> None:
    session.delete()


OPERATIONS = {
    "create": _create,
    "load": _load,
    "load hit": _load,
    "load miss": _load_miss,
    "save": _save,
    "save after load": _save_after_load,
    "cycle_key": _cycle_key,
    "flush": _flush,
}
