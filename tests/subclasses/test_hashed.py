"""Hooks that Django documents, in subclasses, where SESSION_KEY_STORAGE has keys hashed."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import caches
from django.test import override_settings
from django.utils import timezone

from dj_sessions import _keys
from tests.counters import statements
from tests.subclasses.models import NamedSession

FORMS = {"hashed": ["hashed"], "both": ["hashed", "plain"], "back": ["plain", "hashed"]}


@pytest.fixture(params=FORMS, autouse=True)
def first(request):
    """Return what makes the form of a key that is stored."""
    with override_settings(SESSION_KEY_STORAGE=FORMS[request.param]):
        yield _keys.FORMS[FORMS[request.param][0]]


def lived(mode: Any, store: Any) -> str:
    """Save a session, change it, change its key; return the key that it has now."""
    session = mode.wrap(store())
    session.set("colour", "green")
    session.save()
    again = mode.wrap(store(session.raw.session_key))
    assert again.get("colour") == "green"
    again.set("size", 3)
    again.save()
    again.cycle_key()
    key = again.raw.session_key
    assert mode.wrap(store(session.raw.session_key)).get("colour") is None
    assert dict(mode.wrap(store(key)).items()) == {"colour": "green", "size": 3}
    return key


def expect_found(mode: Any, store: Any, SessionStore: Any) -> None:
    """Expect that the hook finds the row of a session, and that the session has what it notes."""
    key = lived(mode, SessionStore)
    if store.cache:
        caches[store.cache].delete(SessionStore(key).cache_key)
    session = mode.wrap(SessionStore(key))
    assert session.get("colour") == "green"
    assert session.raw.found > timezone.now()
    assert session.raw.session_key == key


@pytest.mark.stores("db", "cached_db")
def test_a_row_that_a_hook_makes_itself_gets_the_stored_form(store, mode, first):
    class SessionStore(store.SessionStore):
        def create_model_instance(self, data):
            return self.model(
                session_key=self._get_or_create_session_key(),
                session_data=self.encode(data),
                expire_date=self.get_expiry_date(),
            )

    key = lived(mode, SessionStore)
    assert SessionStore.get_model_class().objects.get().session_key == first(key)


@pytest.mark.stores("db", "cached_db")
def test_a_row_that_a_hook_fills_in_has_the_stored_form(store, mode, first):
    seen = []

    class SessionStore(store.SessionStore):
        def create_model_instance(self, data):
            row = super().create_model_instance(data)
            seen.append(row.session_key)
            return row

    key = lived(mode, SessionStore)
    assert seen[-1] == first(key)


@pytest.mark.stores("db", "cached_db")
def test_a_hook_finds_rows_by_the_key_that_it_is_asked_for(store, mode):
    class SessionStore(store.SessionStore):
        def _get_session_from_db(self):
            live = self.model.objects.filter(expire_date__gt=timezone.now())
            row = live.filter(session_key=self.session_key).first()
            if row is not None:
                self.found = row.expire_date
            return row

    expect_found(mode, store, SessionStore)


@pytest.mark.stores("db", "cached_db")
@pytest.mark.modes("async")
def test_so_does_a_hook_of_async_code(store, mode):
    class SessionStore(store.SessionStore):
        async def _aget_session_from_db(self):
            live = self.model.objects.filter(expire_date__gt=timezone.now())
            row = await live.filter(session_key=self.session_key).afirst()
            if row is not None:
                self.found = row.expire_date
            return row

    expect_found(mode, store, SessionStore)


@pytest.mark.stores("cache", "cached_db")
def test_an_entry_has_the_name_that_a_subclass_makes_of_the_stored_form(store, mode, first):
    class SessionStore(store.SessionStore):
        @property
        def cache_key(self):
            return f"{self.cache_key_prefix}:tenant:{self._get_or_create_session_key()}"

    key = lived(mode, SessionStore)
    name = f"{store.SessionStore.cache_key_prefix}:tenant:"
    assert caches[store.cache].get(name + first(key)) is not None
    other = key if first(key) != key else _keys.hashed(key)
    assert caches[store.cache].get(name + other) is None
    if store.kind == "cached_db":
        with statements() as sent:
            assert mode.wrap(SessionStore(key)).get("colour") == "green"
        assert sent == []


@pytest.mark.stores("file")
def test_a_file_has_the_name_that_a_subclass_makes_of_the_stored_form(store, mode, first):
    class SessionStore(store.SessionStore):
        def _key_to_file(self, session_key=None):
            return super()._key_to_file(session_key) + ".session"

    key = lived(mode, SessionStore)
    assert (store.path / f"sessionid{first(key)}.session").exists()


def test_a_key_of_a_sites_own_is_hashed(store, mode, first):
    if not store.server_side:
        pytest.skip("it has no key of a session")

    class SessionStore(store.SessionStore):
        def _get_new_session_key(self):
            return f"Eu-{super()._get_new_session_key()}"

    key = lived(mode, SessionStore)
    assert key.startswith("Eu-")
    if store.kind in ("db", "cached_db"):
        assert SessionStore.get_model_class().objects.get().session_key == first(key)


def test_a_column_of_that_name_is_the_model_s_own():
    assert NamedSession(session_key="k" * 32, public_id="its own").public_id == "its own"
