"""Limits of a session's life beside servers that run Django's own package."""

from importlib import import_module

import pytest
from django.conf import settings
from django.test import override_settings

from tests.contract.visits import session_cookie, visit

ON = {"SESSION_IDLE_AGE": 900, "SESSION_ABSOLUTE_AGE": 7200}

pytestmark = [
    pytest.mark.modes("sync"),
    pytest.mark.usefixtures("mode"),
    pytest.mark.stores("db", "cache", "cached_db", "file", "signed_cookies"),  # which Django has
]


@pytest.fixture
def clock(clock):
    with override_settings(**ON):
        yield clock


@pytest.fixture
def django(store):
    return import_module(f"django.contrib.sessions.backends.{store.kind}").SessionStore


def begin(store):
    session = store()
    session["colour"] = "green"
    session.save()
    return session


def change(store, key):
    session = store(key)
    session["size"] = "small"
    session.save()
    return session


def test_django_reads_and_keeps_a_session_with_limits(store, django, clock):
    ours = begin(store.SessionStore)
    theirs = change(django, ours.session_key)
    assert theirs["colour"] == "green"
    again = store.SessionStore(theirs.session_key)
    assert dict(again.items()) == {"colour": "green", "size": "small"}
    assert again._marks.start == int(clock.start.timestamp())


@pytest.mark.stores("db", "cached_db", "file", "signed_cookies")
def test_what_django_saved_counts_as_use(store, django, clock):
    key = begin(store.SessionStore).session_key
    clock.move(600)
    key = change(django, key).session_key
    clock.move(600 + 899)
    assert store.SessionStore(key)["colour"] == "green"
    clock.move(600 + 902)
    assert "colour" not in store.SessionStore(key)


def test_what_django_began_gets_a_start_with_our_next_save(store, django, clock):
    key = begin(django).session_key
    clock.move(5000)
    session = store.SessionStore(key)
    assert session["colour"] == "green"
    assert session._is_renewal_due()
    session.save()
    again = store.SessionStore(session.session_key)
    assert again["colour"] == "green"
    assert again._marks.start == int(clock.after(seconds=5000).timestamp())


RENEWALS_ALONE = dict.fromkeys(ON) | {"SESSION_RENEW_AFTER": 60}


def look(session):
    return session.get("colour")


@pytest.mark.stores("db")
def test_after_the_switch_back_a_session_ends_when_the_limits_had_it_end(store, django, clock):
    key = begin(store.SessionStore).session_key
    clock.move(899)
    assert django(key)["colour"] == "green"
    clock.move(901)
    assert "colour" not in django(key)


@pytest.mark.stores("db", "cache", "cached_db", "signed_cookies")
def test_renewals_without_limits_give_used_sessions_the_long_end_of_django(
    store, django, clock, mode
):
    key = begin(store.SessionStore).session_key
    clock.move(899)
    with override_settings(**RENEWALS_ALONE):
        response = visit(mode, look, cookie=key)
        assert response.seen == ["green"]
    cookie = session_cookie(response)
    assert cookie["max-age"] == settings.SESSION_COOKIE_AGE
    clock.move(899 + settings.SESSION_COOKIE_AGE - 1)
    assert django(cookie.value)["colour"] == "green"
