"""The forms in which Python lets a class override a method or a property.

Somebody's engine is written in each of them: it must import, and its override must be called.
"""

from __future__ import annotations

from functools import cached_property, partialmethod, wraps

import pytest
from asgiref.sync import sync_to_async
from django.core.cache import caches
from django.db import transaction
from django.utils.functional import cached_property as django_cached_property

from dj_sessions.backends.cached_db import SessionStore as CachedStore
from dj_sessions.backends.db import SessionStore as DBStore

pytestmark = pytest.mark.stores("cached_db", cache="locmem")

calls: list[str] = []


@pytest.fixture(autouse=True)
def forget_calls():
    calls.clear()


def own_key(self):
    return f"own:{self._get_or_create_session_key()}"


def noted_save(self, must_create=False):
    calls.append("save")
    return DBStore.save(self, must_create)


async def noted_asave(self, must_create=False):
    calls.append("asave")
    return await DBStore.asave(self, must_create)


def decorated(function):
    @wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


class Descriptor:
    """A method that is no function: what some decorators leave behind."""

    def __init__(self, function):
        self.function = function

    def __get__(self, instance, owner=None):
        return self.function.__get__(instance, owner)


@pytest.mark.parametrize("form", [property, cached_property, django_cached_property])
def test_a_cache_key_may_be_any_kind_of_property(store, mode, form):
    class SessionStore(CachedStore):
        cache_key = form(own_key)

    session = mode.wrap(SessionStore())
    session.set("colour", "green")
    session.save()
    assert caches["default"].get(f"own:{session.session_key}") == {"colour": "green"}
    assert mode.wrap(SessionStore(session.session_key)).get("colour") == "green"


@pytest.mark.parametrize(
    ("name", "value"), [("key_salt", "a salt"), ("cache_key_prefix", "a.prefix")]
)
def test_a_salt_or_prefix_may_be_a_plain_attribute_or_a_property(store, mode, name, value):
    Plain = type("SessionStore", (CachedStore,), {name: value})
    Computed = type("SessionStore", (CachedStore,), {name: property(lambda self: value)})
    session = mode.wrap(Plain())
    session.set("colour", "green")
    session.save()
    caches["default"].clear()
    assert mode.wrap(Computed(session.session_key)).get("colour") == "green"


@pytest.mark.parametrize(
    "form",
    [
        noted_save,
        decorated(noted_save),
        transaction.atomic(noted_save),
        lambda self, must_create=False: noted_save(self, must_create),
        partialmethod(noted_save),
        Descriptor(noted_save),
    ],
    ids=["def", "decorated", "atomic", "lambda", "partialmethod", "descriptor"],
)
def test_a_sync_method_in_any_form_is_called_in_both_modes(store, mode, form):
    SessionStore = type("SessionStore", (DBStore,), {"save": form})
    session = mode.wrap(SessionStore())
    session.save()
    session.set("colour", "green")
    session.save()
    assert calls == ["save", "save", "save"]  # the first of which creates
    assert mode.wrap(SessionStore(session.session_key)).get("colour") == "green"


@pytest.mark.modes("async")
@pytest.mark.parametrize(
    "form",
    [
        noted_asave,
        lambda self, must_create=False: noted_asave(self, must_create),
        partialmethod(noted_asave),
        Descriptor(noted_asave),
    ],
    ids=["async def", "lambda", "partialmethod", "descriptor"],
)
def test_an_async_method_in_any_form_is_called(store, mode, form):
    SessionStore = type("SessionStore", (DBStore,), {"asave": form})
    session = mode.wrap(SessionStore())
    session.save()
    session.set("colour", "green")
    session.save()
    assert calls == ["asave", "asave", "asave"]
    assert mode.wrap(SessionStore(session.session_key)).get("colour") == "green"


@pytest.mark.modes("async")
def test_an_async_method_may_be_the_sync_one_in_a_thread(store, mode):
    class SessionStore(DBStore):
        save = noted_save
        asave = sync_to_async(noted_save)

    session = mode.wrap(SessionStore())
    session.set("colour", "green")
    session.save()
    assert calls == ["save", "save"]
    assert mode.wrap(SessionStore(session.session_key)).get("colour") == "green"


@pytest.mark.parametrize("form", [classmethod, staticmethod])
def test_clear_expired_may_be_a_class_method_or_a_static_one(store, mode, form):
    def clear_expired(*cls):
        calls.append("clear_expired")

    SessionStore = type("SessionStore", (DBStore,), {"clear_expired": form(clear_expired)})
    mode.wrap(SessionStore).clear_expired()
    assert calls == ["clear_expired"]


def test_an_override_in_a_mixin_is_called_in_both_modes(store, mode):
    class Noting:
        def save(self, must_create=False):
            calls.append("save")
            return super().save(must_create)

    class SessionStore(Noting, DBStore):
        pass

    mode.wrap(SessionStore()).save()
    assert calls == ["save", "save"]


def test_the_youngest_of_two_overrides_is_called_whichever_twin_it_is(store, mode):
    class Sync(DBStore):
        def save(self, must_create=False):
            calls.append("save")
            return super().save(must_create)

    class Async(Sync):
        async def asave(self, must_create=False):
            calls.append("asave")
            return await DBStore.asave(self, must_create)

    class SyncAgain(Async):
        def save(self, must_create=False):
            calls.append("save again")
            return DBStore.save(self, must_create)

    mode.wrap(Sync()).save()
    assert set(calls) == {"save"}
    calls.clear()
    mode.wrap(Async()).save()
    assert set(calls) == {"asave" if mode.is_async else "save"}
    calls.clear()
    mode.wrap(SyncAgain()).save()
    assert set(calls) == {"save again"}
