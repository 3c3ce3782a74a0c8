"""The fixtures work: every store can be created, saved, loaded and deleted, in both modes."""

import pytest
from django.conf import settings
from django.contrib.sessions.backends.base import CreateError
from django.db import connections

from tests import router


@pytest.mark.stores(server_side=True)
def test_a_created_session_has_a_key(store, mode):
    session = mode.wrap(store.SessionStore())
    session.create()
    assert session.session_key


def test_a_saved_value_is_read_back(store, mode):
    session = mode.wrap(store.SessionStore())
    session.set("colour", "green")
    session.save()
    again = mode.wrap(store.SessionStore(session.session_key))
    assert again.get("colour") == "green"
    assert dict(again.items()) == {"colour": "green"}


@pytest.mark.stores(server_side=True)
def test_a_key_cannot_be_created_twice(store, mode):
    session = mode.wrap(store.SessionStore())
    session.create()
    with pytest.raises(CreateError):
        session.save(must_create=True)


@pytest.mark.stores(server_side=True)
def test_a_deleted_session_is_gone(store, mode):
    session = mode.wrap(store.SessionStore())
    session.set("colour", "green")
    session.save()
    key = session.session_key
    session.delete(key)
    assert not mode.wrap(store.SessionStore()).exists(key)
    assert mode.wrap(store.SessionStore(key)).get("colour") is None


def test_a_store_starts_in_autocommit_on_its_own_database_with_its_own_settings(store):
    assert router.chosen() == store.database
    assert connections[store.database].get_autocommit()
    assert not connections[store.database].in_atomic_block
    assert store.engine == settings.SESSION_ENGINE
    assert store.SessionStore.__module__ == store.engine


@pytest.mark.parametrize("again", ["first", "second"])
@pytest.mark.stores(server_side=True)
def test_a_test_sees_nothing_of_another(store, again):
    key = "abcdefgh" * 4
    assert not store.SessionStore().exists(key)
    session = store.SessionStore()
    session._session_key = key
    session["left"] = "over"
    session.save(must_create=True)


def test_the_client_of_each_mode_keeps_its_session(store, mode):
    client = mode.client()
    client.get(mode.url("write"), {"colour": "green"})
    assert client.get(mode.url("read")).json() == {"colour": "green"}
    client.get(mode.url("flush"))
    assert client.get(mode.url("read")).json() == {}


def test_a_user_logs_in_and_out_in_the_store_s_database(store, mode, user):
    assert user._state.db == store.database
    client = mode.client()
    assert client.login(username="ada", password="secret")
    assert client.session["_auth_user_id"] == str(user.pk)
    client.logout()
    assert settings.SESSION_COOKIE_NAME not in client.cookies
