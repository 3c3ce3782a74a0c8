"""`manage.py clearsessions`: expired sessions go, others stay."""

import sys
from datetime import timedelta
from io import StringIO
from types import ModuleType

import pytest
from django.core.management import CommandError, call_command, get_commands
from django.test import override_settings

from dj_sessions.backends.base import SessionBase


def clear():
    out, err = StringIO(), StringIO()
    call_command("clearsessions", stdout=out, stderr=err)
    return out.getvalue() + err.getvalue()


def test_the_command_is_ours():
    assert get_commands()["clearsessions"] == "dj_sessions"


def saved(store, expiry):
    session = store.SessionStore()
    session["colour"] = "green"
    session.set_expiry(expiry)
    session.save()
    return session.session_key


@pytest.mark.stores("db", "cached_db", "file")
def test_expired_sessions_are_removed_and_others_stay(store):
    expired = [saved(store, timedelta(seconds=-60)) for _ in range(3)]
    alive = [saved(store, expiry) for expiry in (timedelta(hours=1), 60, 0, None)]
    assert clear() == ""
    assert not any(is_kept(store, key) for key in expired)
    assert all(store.SessionStore(key)["colour"] == "green" for key in alive)


def is_kept(store, key):
    if store.kind == "file":
        return (store.path / f"sessionid{key}").exists()
    return store.SessionStore.get_model_class().objects.filter(pk=key).exists()


@pytest.mark.stores("db", database="sqlite")
def test_what_is_expired_is_there_until_the_command_runs(store):
    """So that the test above removes something."""
    key = saved(store, timedelta(seconds=-60))
    assert is_kept(store, key)


@pytest.mark.stores("cache", "signed_cookies")
def test_a_store_that_forgets_by_itself_has_nothing_to_do(store):
    key = saved(store, timedelta(hours=1))
    assert clear() == ""
    assert store.SessionStore(key)["colour"] == "green"


@pytest.mark.stores("db", database="sqlite")
def test_an_empty_store_is_no_problem(store):
    assert clear() == ""


def test_an_engine_that_cannot_clear_is_a_command_error_that_names_it(monkeypatch):
    module = ModuleType("own_engine")
    module.SessionStore = type("SessionStore", (SessionBase,), {})
    monkeypatch.setitem(sys.modules, "own_engine", module)
    with (
        override_settings(SESSION_ENGINE="own_engine"),
        pytest.raises(
            CommandError, match="'own_engine' doesn't support clearing expired"
        ) as caught,
    ):
        clear()
    assert isinstance(caught.value.__cause__, NotImplementedError)


def test_another_error_is_not_taken_for_that(monkeypatch):
    def clear_expired(cls):
        raise OSError("the disk is gone")

    module = ModuleType("own_engine")
    module.SessionStore = type(
        "SessionStore", (SessionBase,), {"clear_expired": classmethod(clear_expired)}
    )
    monkeypatch.setitem(sys.modules, "own_engine", module)
    with override_settings(SESSION_ENGINE="own_engine"), pytest.raises(OSError, match="disk"):
        clear()
