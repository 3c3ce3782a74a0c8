"""Sync overrides that look something up in the database, under ASGI.

Django's middleware commits in a thread there, so that they work; they must under ours too, on
our stores and on Django's.
"""

from __future__ import annotations

from importlib import import_module

import pytest

pytestmark = [pytest.mark.stores("db"), pytest.mark.modes("async")]

AGE = 600
DJANGO, OURS = "django.contrib.sessions", "dj_sessions"


def looked_up(self):
    assert self.model.objects.count() < 9
    return AGE


OVERRIDES = {
    "get_session_cookie_age": looked_up,
    "get_expiry_age": lambda self, **kwargs: looked_up(self),
}


@pytest.fixture(params=[OURS, DJANGO], ids=["our middleware", "Django's middleware"])
def middleware(request, settings):
    settings.ROOT_URLCONF = "tests.subclasses.urls"
    settings.MIDDLEWARE = [name.replace(OURS, request.param) for name in settings.MIDDLEWARE]


@pytest.fixture(params=[OURS, DJANGO], ids=["our store", "Django's store"])
def subclass(request, store, settings, monkeypatch, middleware):
    """Put a subclass with these overrides into the settings."""
    settings.SESSION_ENGINE = f"{request.param}.backends.db"
    base = import_module(settings.SESSION_ENGINE).SessionStore

    def subclass(**overrides):
        made = type("SessionStore", (base,), overrides)
        monkeypatch.setattr(f"{settings.SESSION_ENGINE}.SessionStore", made)
        return made

    return subclass


@pytest.mark.parametrize("name", OVERRIDES)
def test_an_age_that_is_looked_up_is_the_cookie_s(subclass, browser, name):
    subclass(**{name: OVERRIDES[name]})
    browser.visit("write", colour="green")
    assert browser.cookie["max-age"] == AGE


def test_the_end_with_the_browser_may_be_looked_up(subclass, browser):
    subclass(get_expire_at_browser_close=lambda self: bool(looked_up(self)))
    browser.visit("write", colour="green")
    assert browser.cookie["max-age"] == ""


@pytest.mark.parametrize("name", ["encode", "create_model_instance"])
def test_writing_may_look_something_up(subclass, browser, name):
    calls = []

    def override(self, *args):
        calls.append(looked_up(self))
        return getattr(super(SessionStore, self), name)(*args)

    SessionStore = subclass(**{name: override})
    browser.visit("write", colour="green")
    browser.visit("write", fruit="fig")
    assert calls
    assert browser.visit("who").json()["data"] == {"colour": "green", "fruit": "fig"}


@pytest.mark.parametrize("name", ["decode", "__setitem__", "get"])
def test_so_may_in_our_store_what_django_does_not_call_or_calls_in_the_event_loop(
    store, settings, monkeypatch, browser, name
):
    settings.ROOT_URLCONF = "tests.subclasses.urls"
    calls = []

    def override(self, *args):
        calls.append(looked_up(self))
        return getattr(super(SessionStore, self), name)(*args)

    SessionStore = type("SessionStore", (store.SessionStore,), {name: override})
    monkeypatch.setattr(f"{store.engine}.SessionStore", SessionStore)
    browser.visit("write", colour="green")
    browser.visit("write", fruit="fig")
    assert calls
    assert browser.visit("who").json()["data"] == {"colour": "green", "fruit": "fig"}
