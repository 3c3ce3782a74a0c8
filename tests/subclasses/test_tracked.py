"""A store shaped like django-qsessions', alone and in front of the cache."""

import pytest
from django.conf import settings
from django.core.cache import caches
from django.core.management import call_command
from django.utils import timezone

from tests.subclasses import engines
from tests.subclasses.models import TrackedSession

PHONE = {"User-Agent": "phone"}
TABLET = {"User-Agent": "tablet"}
CLIENT = {"_user_agent": "phone", "_ip": "127.0.0.1"}

pytestmark = pytest.mark.stores("db", "cached_db")


@pytest.fixture
def SessionStore(store, engine, settings):
    settings.MIDDLEWARE = [
        "tests.subclasses.middleware.DeviceMiddleware" if "sessions.middleware" in name else name
        for name in settings.MIDDLEWARE
    ]
    return engine(engines.path("tracked" if store.kind == "db" else "tracked_cached"))


def in_cache(key):
    return caches[settings.SESSION_CACHE_ALIAS].get(f"tracked.cached_db{key}")


def test_login_writes_user_and_client_into_row_and_data(SessionStore, browser, user):
    browser.visit("log_in", PHONE, user="ada")
    row = TrackedSession.objects.get()
    assert (row.user, row.user_agent, row.ip) == (user, "phone", "127.0.0.1")
    assert CLIENT.items() <= row.get_decoded().items()
    assert browser.visit("who", PHONE).json()["user"] == "ada"


def test_the_client_s_data_is_stored_with_the_first_save(SessionStore, browser):
    browser.visit("write", PHONE, colour="green")
    assert TrackedSession.objects.get().get_decoded() == {"colour": "green", **CLIENT}


def test_the_model_s_save_keeps_when_the_session_began(SessionStore, browser):
    browser.visit("write", PHONE, colour="green")
    began = TrackedSession.objects.get()
    browser.visit("write", PHONE, colour="blue")
    row = TrackedSession.objects.get()
    assert row.get_decoded()["colour"] == "blue"
    assert row.created_at == began.created_at
    assert row.updated_at > began.updated_at


def test_another_client_is_noted_when_the_session_is_next_read(SessionStore, browser):
    browser.visit("write", PHONE, colour="green")
    browser.visit("who", TABLET)
    row = TrackedSession.objects.get()
    assert row.user_agent == row.get_decoded()["_user_agent"] == "tablet"
    assert browser.visit("who", TABLET).json()["data"]["colour"] == "green"


def test_logout_leaves_no_row_and_no_copy(SessionStore, browser, user):
    browser.visit("log_in", PHONE, user="ada")
    key = browser.key
    browser.visit("log_out", PHONE)
    assert not TrackedSession.objects.exists()
    assert in_cache(key) is None


@pytest.mark.parametrize("rows", ["one", "many"])
def test_rows_deleted_through_the_model_log_their_clients_out(SessionStore, browser, user, rows):
    browser.visit("log_in", PHONE, user="ada")
    row = TrackedSession.objects.get() if rows == "one" else TrackedSession.objects.all()
    row.delete()
    assert in_cache(browser.key) is None
    assert browser.visit("who", PHONE).json()["user"] == ""


def test_clearsessions_goes_through_the_model_s_own_query_set(SessionStore, browser):
    browser.visit("write", PHONE, colour="green")
    TrackedSession.objects.update(expire_date=timezone.now())
    call_command("clearsessions")
    assert not TrackedSession.objects.exists()
    assert in_cache(browser.key) is None


@pytest.mark.stores("cached_db")
def test_both_parents_have_their_say_in_a_session_of_both(SessionStore, browser, user):
    browser.visit("log_in", PHONE, user="ada")
    assert CLIENT.items() <= in_cache(browser.key).items()
    assert TrackedSession.objects.get().user == user
