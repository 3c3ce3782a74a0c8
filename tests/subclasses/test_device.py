"""A store shaped like django-user-sessions', under its middleware and under ours."""

from datetime import timedelta

import pytest
from django.contrib.auth import SESSION_KEY
from django.core.management import call_command
from django.utils import timezone

from tests.subclasses import engines
from tests.subclasses.models import DeviceSession

pytestmark = pytest.mark.stores("db")

PHONE = {"User-Agent": "phone"}
TABLET = {"User-Agent": "tablet"}


@pytest.fixture
def under(settings):
    """Put another session middleware into the settings."""

    def put(middleware):
        settings.MIDDLEWARE = [
            middleware if "sessions.middleware" in name else name for name in settings.MIDDLEWARE
        ]

    return put


@pytest.fixture
def SessionStore(engine, under):
    under("tests.subclasses.middleware.DeviceMiddleware")
    return engine(engines.path("device"))


def test_login_writes_user_and_device_into_the_row(SessionStore, browser, user):
    browser.visit("log_in", PHONE, user="ada")
    row = DeviceSession.objects.get()
    assert (row.user, row.user_agent, row.ip) == (user, "phone", "127.0.0.1")
    assert browser.visit("who", PHONE).json()["user"] == "ada"


def test_the_user_stays_in_the_row_when_another_request_changes_the_data(
    SessionStore, browser, user
):
    browser.visit("log_in", PHONE, user="ada")
    browser.visit("write", PHONE, colour="green")
    row = DeviceSession.objects.get()
    assert row.user == user
    assert row.get_decoded()["colour"] == "green"


def test_an_unchanged_device_costs_no_save_and_another_one_is_noted(SessionStore, browser, user):
    browser.visit("log_in", PHONE, user="ada")
    long_ago = timezone.now() - timedelta(days=1)
    DeviceSession.objects.update(last_activity=long_ago)
    browser.visit("who", PHONE)
    assert DeviceSession.objects.get().last_activity == long_ago
    browser.visit("who", TABLET)
    row = DeviceSession.objects.get()
    assert row.user_agent == "tablet"
    assert row.last_activity > long_ago


def test_logout_leaves_neither_row_nor_user(SessionStore, browser, user):
    browser.visit("log_in", PHONE, user="ada")
    browser.visit("log_out", PHONE)
    assert not DeviceSession.objects.exists()
    browser.visit("write", PHONE, colour="green")
    assert DeviceSession.objects.get().user is None


def test_removing_the_row_from_a_list_of_devices_logs_that_device_out(SessionStore, browser, user):
    browser.visit("log_in", PHONE, user="ada")
    user.device_sessions.get().delete()
    assert browser.visit("who", PHONE).json() == {"user": "", "data": {}}


def test_a_cookie_that_nothing_is_stored_under_is_an_anonymous_visit(SessionStore, browser):
    browser.client.cookies["sessionid"] = "unknown0" * 4
    assert browser.visit("who", PHONE).json() == {"user": "", "data": {}}
    assert not DeviceSession.objects.exists()


def test_what_the_overridden_create_forgets_is_stored_all_the_same(SessionStore, mode):
    session = mode.wrap(SessionStore(user_agent="phone", ip="127.0.0.1"))
    session.set("colour", "green")
    session.save()
    assert list(session.items()) == []
    assert mode.wrap(SessionStore(session.session_key)).get("colour") == "green"


def test_the_overridden_clear_forgets_the_user(SessionStore, mode, user):
    session = mode.wrap(SessionStore(user_agent="phone"))
    session.set(SESSION_KEY, user.pk)
    session.save()
    assert DeviceSession.objects.get().user == user
    session.clear()
    session.save()
    assert DeviceSession.objects.get().user is None


def test_the_store_serves_under_a_middleware_on_django_s_code(SessionStore, under, browser, user):
    under("tests.subclasses.middleware.StockDeviceMiddleware")
    browser.visit("log_in", PHONE, user="ada")
    row = DeviceSession.objects.get()
    assert (row.user, row.user_agent) == (user, "phone")
    browser.visit("log_out", PHONE)
    assert not DeviceSession.objects.exists()


def test_under_the_plain_middleware_the_device_is_unknown(engine, browser, user):
    engine(engines.path("device"))
    browser.visit("log_in", PHONE, user="ada")
    row = DeviceSession.objects.get()
    assert (row.user, row.user_agent, row.ip) == (user, None, None)
    assert browser.visit("who", PHONE).json()["user"] == "ada"


def test_sessioncheck_leaves_no_row_that_the_manager_hides(SessionStore, capsys):
    call_command("sessioncheck")
    assert "The store works." in capsys.readouterr().out
    assert not DeviceSession._base_manager.exists()
