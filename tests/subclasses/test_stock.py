"""Engines whose authors have not switched: subclasses of Django's stores, under our middleware."""

from __future__ import annotations

import pytest

from tests.subclasses import engines

pytestmark = pytest.mark.stores("cached_db")

NAMES = ["account", "device", "tracked", "prefixed", "tracked_cached"]


@pytest.mark.parametrize("name", NAMES)
def test_an_engine_on_django_s_code_serves_a_session(engine, browser, user, name):
    SessionStore = engine(engines.stock_path(name))
    assert not SessionStore.__mro__[1].__module__.startswith("dj_sessions")
    browser.visit("write", colour="green")
    before = browser.key
    browser.visit("log_in", user="ada")
    assert browser.key != before
    answer = browser.visit("who").json()
    assert (answer["user"], answer["data"]["colour"]) == ("ada", "green")
    browser.visit("log_out")
    assert browser.visit("who").json() == {"user": "", "data": {}}
    assert not SessionStore.get_model_class().objects.exists()


@pytest.mark.stores(database="sqlite")
@pytest.mark.parametrize("name", NAMES)
def test_a_session_goes_back_and_forth_while_an_engine_is_switched(engine, browser, user, name):
    engine(engines.stock_path(name))
    browser.visit("log_in", user="ada")
    for path in (engines.path, engines.stock_path, engines.path):
        engine(path(name))
        browser.visit("write", **{path.__name__: "seen"})
        answer = browser.visit("who").json()
        assert answer["user"] == "ada"
    assert answer["data"]["path"] == answer["data"]["stock_path"] == "seen"


@pytest.mark.parametrize("middleware", ["dj_sessions", "django.contrib.sessions"])
@pytest.mark.parametrize("name", ["account", "tracked", "tracked_cached"])
def test_what_a_sync_override_writes_is_written_under_either_middleware(
    engine, browser, user, settings, name, middleware
):
    """Django's middleware saves in a thread under ASGI, and so reaches sync overrides."""
    settings.MIDDLEWARE = [
        entry.replace("dj_sessions", middleware) for entry in settings.MIDDLEWARE
    ]
    SessionStore = engine(engines.stock_path(name))
    browser.visit("log_in", user="ada")
    row = SessionStore.get_model_class().objects.get()
    assert getattr(row, "account_id" if name == "account" else "user_id") == user.pk
