"""Django's test clients, sync and async."""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as django_settings
from django.contrib.auth import BACKEND_SESSION_KEY, SESSION_KEY

from tests.subclasses import engines

pytestmark = pytest.mark.stores("db", "cached_db", "signed_cookies")


@pytest.fixture(autouse=True)
def urls(settings):
    settings.ROOT_URLCONF = "tests.subclasses.urls"


def session_of(browser):
    """What `client.session`, or `await client.asession()`, gives."""
    client = browser.client.raw
    if browser.mode.is_async:
        return browser.mode.wrap(async_to_sync(client.asession)())
    return browser.mode.wrap(client.session)


def test_a_session_prepared_by_the_test_is_what_the_view_sees(store, browser):
    session = session_of(browser)
    session.set("colour", "green")
    session.save()
    # A session that the client keeps is another cookie after each save.
    browser.client.cookies[django_settings.SESSION_COOKIE_NAME] = session.session_key
    assert browser.visit("who").json()["data"] == {"colour": "green"}


def test_what_the_view_wrote_is_what_the_test_sees(store, browser):
    browser.visit("write", colour="green")
    assert session_of(browser).get("colour") == "green"


@pytest.mark.stores(server_side=True)
def test_the_client_makes_one_session_and_sends_its_key(store, browser):
    assert session_of(browser).session_key == browser.key == session_of(browser).session_key
    assert store.SessionStore().exists(browser.key)


def test_login_by_password_and_logout(store, browser, user):
    assert not browser.client.login(username="ada", password="wrong")
    assert browser.client.login(username="ada", password="secret")
    assert browser.visit("who").json()["user"] == "ada"
    browser.client.logout()
    assert browser.visit("who").json() == {"user": "", "data": {}}


def test_forced_login_and_logout(store, browser, user):
    browser.client.force_login(user)
    session = session_of(browser)
    assert session.get(SESSION_KEY) == str(user.pk)
    assert session.get(BACKEND_SESSION_KEY) == django_settings.AUTHENTICATION_BACKENDS[0]
    assert browser.visit("who").json()["user"] == "ada"
    key = browser.key
    browser.client.logout()
    if store.server_side:
        assert not store.SessionStore().exists(key)


@pytest.mark.stores(server_side=True)
def test_login_moves_what_the_visitor_had_to_a_new_key(store, browser, user):
    browser.visit("write", colour="green")
    before = browser.key
    browser.client.force_login(user)
    assert browser.key != before
    assert session_of(browser).get("colour") == "green"
    assert not store.SessionStore().exists(before)


@pytest.mark.stores("db")
def test_the_clients_use_a_store_of_one_s_own(engine, browser, user):
    SessionStore = engine(engines.path("account"))
    browser.client.force_login(user)
    assert SessionStore.get_model_class().objects.get().account_id == user.pk
    browser.client.logout()
    assert not SessionStore.get_model_class().objects.exists()
