"""How long a session lasts."""

import time
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from django.core.cache import caches
from django.test import override_settings
from django.utils import timezone

from tests.clock import Clock
from tests.patience import PATIENCE
from tests.stores import stored_name

TWO_WEEKS = 1209600


def kinds(clock):
    """What one may give to set_expiry, and the age, the date, "until the browser closes"."""
    default = clock.after(seconds=TWO_WEEKS)
    return {
        "seconds": (300, 300, clock.after(seconds=300), False),
        "zero": (0, TWO_WEEKS, default, True),
        "none": (None, TWO_WEEKS, default, False),
        "past seconds": (-5, -5, clock.after(seconds=-5), False),
        "datetime": (clock.after(hours=1), 3600, clock.after(hours=1), False),
        "timedelta": (timedelta(hours=2), 7200, clock.after(hours=2), False),
        "past datetime": (clock.after(hours=-1), -3600, clock.after(hours=-1), False),
    }


def read_expiry(session):
    return (
        session.get_expiry_age(),
        session.get_expiry_date(),
        session.get_expire_at_browser_close(),
    )


def test_each_kind_of_expiry_is_kept(new, reopen, clock):
    for what, (value, *expected) in kinds(clock).items():
        session = new()
        session.set_expiry(value)
        assert read_expiry(session) == tuple(expected), what
        if expected[0] > 0:
            session.set("colour", "green")
            session.save()
            assert read_expiry(reopen(session.session_key)) == tuple(expected), what


def test_none_returns_to_the_settings(new):
    session = new()
    session.set_expiry(300)
    session.set_expiry(None)
    assert dict(session.items()) == {}
    with override_settings(SESSION_COOKIE_AGE=77, SESSION_EXPIRE_AT_BROWSER_CLOSE=True):
        assert session.get_expiry_age() == 77
        assert session.get_expire_at_browser_close() is True


def test_an_expiry_of_its_own_outweighs_the_settings(new, clock):
    with override_settings(SESSION_COOKIE_AGE=77, SESSION_EXPIRE_AT_BROWSER_CLOSE=True):
        session = new()
        session.set_expiry(300)
        assert read_expiry(session) == (300, clock.after(seconds=300), False)
        session.set_expiry(0)
        assert read_expiry(session) == (77, clock.after(seconds=77), True)
    with override_settings(SESSION_EXPIRE_AT_BROWSER_CLOSE=False):
        assert session.get_expire_at_browser_close() is True


def test_modification_and_expiry_stand_in_for_what_the_session_has(new, clock):
    session = new()
    session.set_expiry(300)
    earlier, later = clock.after(minutes=-1), clock.after(minutes=10)
    assert session.get_expiry_age(modification=earlier) == 300
    assert session.get_expiry_date(modification=earlier) == clock.after(minutes=4)
    for expiry in (later, later.isoformat()):
        assert session.get_expiry_age(expiry=expiry) == 600
        assert session.get_expiry_age(modification=earlier, expiry=expiry) == 660
        assert session.get_expiry_date(modification=earlier, expiry=expiry) == later
    assert session.get_expiry_age(expiry=60) == 60
    assert session.get_expiry_date(modification=earlier, expiry=60) == clock.start
    for expiry in (None, 0):
        assert session.get_expiry_age(expiry=expiry) == TWO_WEEKS
        age = session.get_expiry_date(modification=earlier, expiry=expiry) - earlier
        assert age == timedelta(seconds=TWO_WEEKS)


def test_a_store_may_choose_the_age_of_its_sessions(store, mode, clock):
    class Hasty(store.SessionStore):
        def get_session_cookie_age(self):
            return 10

    session = mode.wrap(Hasty())
    assert session.get_session_cookie_age() == 10
    assert read_expiry(session) == (10, clock.after(seconds=10), False)
    session.set_expiry(20)
    assert session.get_expiry_age() == 20


@pytest.mark.parametrize("whose", ["the settings", "the session"])
def test_seconds_may_have_a_fraction(new, reopen, settings, whose):
    """``SESSION_COOKIE_AGE = 60 * 60 * 24 * 7 / 2``."""
    session = new()
    if whose == "the session":
        session.set_expiry(1800.5)
    else:
        settings.SESSION_COOKIE_AGE = 60 * 60 / 7
    session.set("colour", "green")
    session.save()
    session.set("size", 3)
    session.save()
    assert reopen(session.session_key).get("size") == 3


@pytest.mark.parametrize("method", ["get_session_cookie_age", "get_expiry_date"])
def test_a_store_may_look_at_the_session_to_say_how_long_it_lasts(store, mode, method):
    """Remember me: it may be asked while the session is being loaded."""
    original = getattr(store.SessionStore, method)

    def ask(self, **arguments):
        assert self.get("remember me") == "yes"
        return original(self, **arguments)

    Remembering = type("SessionStore", (store.SessionStore,), {method: ask})
    session = mode.wrap(Remembering())
    session.set("remember me", "yes")
    session.save()
    if store.kind == "cached_db":
        caches[store.cache].delete(session.raw.cache_key)
    assert mode.wrap(Remembering(session.session_key)).get("remember me") == "yes"


NO_EXPIRIES = [
    *("tomorrow", b"5", [5], 1 + 2j, object, float("nan"), float("inf"), 10**30, -(10**30)),
    *(timedelta.max, datetime(2030, 6, 1), "2030-06-01T00:00:00"),
]


@pytest.mark.parametrize("value", NO_EXPIRIES, ids=repr)
@pytest.mark.stores("signed_cookies")
def test_what_is_no_expiry_is_refused_with_the_value_and_the_remedy(new, value):
    session = new()
    with pytest.raises((TypeError, ValueError)) as caught:
        session.set_expiry(value)
    message = str(caught.value)
    assert repr(value) in message or str(value).replace(" ", "T") in message
    assert "Pass a number of seconds" in message or "timezone.now()" in message
    assert session.modified is False
    assert dict(session.items()) == {}


@pytest.mark.stores("signed_cookies")
def test_without_time_zones_an_aware_time_is_refused_and_a_naive_one_kept(new):
    with override_settings(USE_TZ=False):
        session = new()
        with pytest.raises(ValueError, match=r"USE_TZ is False.*timezone\.now\(\)"):
            session.set_expiry(datetime.now(UTC))
        began = time.monotonic()
        session.set_expiry(timezone.now() + timedelta(hours=1))
        age = session.get_expiry_age()
        assert 3599 - (time.monotonic() - began) <= age <= 3600
        assert timezone.is_naive(session.get_expiry_date())


def test_without_time_zones_sessions_are_stored_and_found(save, reopen):
    with override_settings(USE_TZ=False):
        session = reopen(save(colour="green"))
        assert session.get("colour") == "green"
        session.set_expiry(timezone.now() + timedelta(hours=1))
        session.save()
        again = reopen(session.session_key)
        assert again.get("colour") == "green"
        assert 3600 - PATIENCE <= again.get_expiry_age() <= 3600


#: Without summer time: where that begins or ends meanwhile, three days are an hour longer or less.
ZONE = "Africa/Lagos"


@pytest.mark.parametrize("before", [True, False], ids=["then", "now"])
@pytest.mark.parametrize("left", [3, -3], ids=["live", "over"])
def test_sessions_with_a_fixed_end_outlive_a_change_of_use_tz(store, new, reopen, before, left):
    """The column of the database has the time as well: on SQLite in a zone that nobody notes."""
    fixed = timedelta(days=left)
    keys = []
    with override_settings(USE_TZ=before, TIME_ZONE=ZONE):
        for expiry in (fixed, timezone.now() + fixed):
            session = new()
            session.set("colour", "green")
            session.set_expiry(expiry)
            session.save()
            keys.append(session.session_key)
    afterwards = override_settings(USE_TZ=not before, TIME_ZONE=ZONE)
    with afterwards, timezone.override("Asia/Tokyo"):  # the zone of the visitor
        for key in keys:
            session = reopen(key)
            assert session.get("colour") == ("green" if left > 0 else None)
            if left < 0:
                continue
            day = 24 * 3600
            assert session.get_expiry_age() in range(left * day - PATIENCE, left * day + 1)
            assert timezone.is_naive(session.get_expiry_date()) is before
            session.set("colour", "red")
            session.save()
            assert reopen(session.session_key).get("colour") == "red"
        new().clear_expired()
        kept = [key for key in keys if new().exists(key)]
        assert kept == (keys if store.server_side and left > 0 else [])


def test_a_session_that_is_over_is_not_found_again(new, reopen):
    for expiry in (-1, timedelta(seconds=-1), datetime(2020, 2, 2, tzinfo=UTC)):
        session = new()
        session.set("colour", "green")
        session.set_expiry(expiry)
        session.save()
        again = reopen(session.session_key)
        assert again.get("colour") is None, expiry
        assert again.session_key is None, expiry


@pytest.mark.stores("db", "file", "signed_cookies")
def test_a_session_ends_when_its_own_time_is_up(new, reopen, clock):
    for expiry in (1000, timedelta(seconds=1000), clock.after(seconds=1000)):
        clock.move(0)
        session = new()
        session.set("colour", "green")
        session.set_expiry(expiry)
        session.save()
        clock.move(900)
        assert reopen(session.session_key).get("colour") == "green"
        clock.move(1100)
        again = reopen(session.session_key)
        assert again.get("colour") is None
        assert again.session_key is None


@pytest.mark.stores("db", "file", "signed_cookies")
def test_a_session_ends_when_the_age_of_the_settings_is_up(save, reopen, clock):
    with override_settings(SESSION_COOKIE_AGE=1000):
        key = save(colour="green")
        clock.move(900)
        assert reopen(key).get("colour") == "green"
        clock.move(1100)
        assert reopen(key).get("colour") is None


@pytest.mark.stores("db", "signed_cookies")
def test_seconds_count_from_the_last_save_and_a_time_stays(new, reopen, clock):
    for expiry, found in ((1000, "green"), (clock.after(seconds=1000), None)):
        clock.move(0)
        session = new()
        session.set_expiry(expiry)
        session.save()
        clock.move(900)
        session = reopen(session.session_key)
        assert session.get_expiry_age() == (1000 if found else 100)
        session.set("colour", "green")
        session.save()
        clock.move(1100)
        assert reopen(session.session_key).get("colour") == found


@pytest.mark.stores("signed_cookies")
def test_how_long_a_subclass_keeps_cookies_in_browsers_makes_no_old_one_valid(store, mode, clock):
    class Brief(store.SessionStore):
        def get_expiry_age(self, **kwargs):
            return 60

    session = mode.wrap(Brief())
    session.set("colour", "green")
    session.save()
    key = session.session_key
    assert mode.wrap(Brief(key)).load() == {"colour": "green"}
    clock.move(TWO_WEEKS + 1)
    assert mode.wrap(Brief(key)).load() == {}


@pytest.fixture
def djangos_clock():
    """The clock of Django alone, as a test of a site moves it."""
    clock = Clock()
    with mock.patch("django.utils.timezone.now", clock._now):
        yield clock


@pytest.mark.stores("db", "file", "signed_cookies")
@pytest.mark.parametrize("expiry", [None, 1000, timedelta(seconds=1000)])
def test_a_session_ends_by_the_clock_of_django(djangos_clock, new, reopen, expiry):
    session = new()
    session.set("colour", "green")
    session.set_expiry(expiry)
    session.save()
    age = TWO_WEEKS if expiry is None else 1000
    for moved, colour in [(age - 60, "green"), (age + 60, None)]:
        djangos_clock.move(moved)
        assert reopen(session.session_key).get("colour") == colour


@pytest.mark.stores("db", "signed_cookies")
def test_a_save_renews_a_session_by_the_clock_of_django(djangos_clock, save, reopen):
    session = reopen(save(colour="green"))
    djangos_clock.move(TWO_WEEKS - 60)
    session.set("size", 3)
    session.save()
    djangos_clock.move(2 * TWO_WEEKS - 120)
    assert reopen(session.raw.session_key).get("colour") == "green"


@pytest.mark.stores("file")
def test_clear_expired_goes_by_the_clock_of_django(djangos_clock, store, save, new):
    key = save(colour="green")
    for moved, is_kept in [(TWO_WEEKS - 60, True), (TWO_WEEKS + 60, False)]:
        djangos_clock.move(moved)
        new().clear_expired()
        assert (store.path / f"sessionid{stored_name(key)}").exists() is is_kept
