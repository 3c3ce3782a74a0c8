"""Django's documented CustomSession with an account_id, before and after the switch."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from tests.subclasses import engines
from tests.subclasses.engines.account import AGE

pytestmark = pytest.mark.stores("db")


@pytest.fixture(params=["account", "stock_account"])
def SessionStore(request, engine):
    return engine(engines.path(request.param))


@pytest.fixture
def rows(SessionStore):
    return SessionStore.get_model_class().objects


def test_login_writes_the_account_into_its_column(rows, browser, user):
    browser.visit("log_in", user="ada")
    assert rows.get().account_id == user.pk
    assert browser.visit("who").json()["user"] == "ada"


def test_an_anonymous_session_has_no_account(rows, browser):
    browser.visit("write", colour="green")
    assert rows.get().account_id is None


def test_login_keeps_what_the_visitor_had_under_a_new_key(rows, browser, user):
    browser.visit("write", colour="green")
    before = browser.key
    browser.visit("log_in", user="ada")
    row = rows.get()
    assert row.session_key == browser.key != before
    assert row.get_decoded()["colour"] == "green"


def test_logout_removes_the_row_and_the_cookie(rows, browser, user):
    browser.visit("log_in", user="ada")
    browser.visit("log_out")
    assert not rows.exists()
    assert browser.key == ""
    assert browser.visit("who").json() == {"user": "", "data": {}}


def test_the_store_s_own_age_is_the_cookie_s_and_the_row_s(rows, browser):
    earliest = timezone.now()
    browser.visit("write", colour="green")
    latest = timezone.now()
    assert browser.cookie["max-age"] == AGE
    age = timedelta(seconds=AGE)
    assert earliest + age <= rows.get().expire_date <= latest + age


def test_clearsessions_removes_what_has_expired_and_only_that(rows, SessionStore):
    for key, minutes in (("expired0", -1), ("current0", 1)):
        ends = timezone.now() + timedelta(minutes=minutes)
        rows.create(session_key=key, session_data=SessionStore().encode({}), expire_date=ends)
    call_command("clearsessions")
    assert [row.session_key for row in rows.all()] == ["current0"]


def test_the_manager_writes_what_the_store_reads(rows, SessionStore, mode):
    rows.save("abcdefgh", {"colour": "green"}, timezone.now() + timedelta(hours=1))
    assert mode.wrap(SessionStore("abcdefgh")).get("colour") == "green"


def test_the_engine_in_the_settings_is_the_model_s_store(rows):
    engine = import_module(settings.SESSION_ENGINE)
    assert rows.model.get_session_store_class() is engine.SessionStore
