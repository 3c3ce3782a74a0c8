"""`_session.expiry`: what is stored for an expiry, and the age and the date that follow from it."""

import math
import zoneinfo
from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.contrib.sessions.backends.base import SessionBase as DjangoSessionBase
from hypothesis import given
from hypothesis import strategies as st

from dj_sessions._session import expiry as rules

NOW = datetime(2031, 5, 17, 10, 20, 30, 123456, tzinfo=UTC)
NAIVE_NOW = NOW.replace(tzinfo=None)
WEEK = 604800

OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
# Away from the ends of the calendar, where adding a default age has no answer.
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=OFFSETS)
SECONDS = st.integers(-(10**9), 10**9)
STORED = st.one_of(st.none(), SECONDS, MOMENTS, MOMENTS.map(datetime.isoformat))


# What is stored


@given(SECONDS)
def test_seconds_are_stored_as_they_are(seconds):
    assert rules.stored_value(seconds, NOW) == seconds


def test_zero_stays_a_number_as_it_means_until_the_browser_closes():
    stored = rules.stored_value(0, NOW)
    assert stored == 0
    assert type(stored) is int


def test_a_fraction_of_seconds_is_stored_as_it_is():
    assert rules.stored_value(0.5, NOW) == 0.5


@given(MOMENTS)
def test_a_datetime_is_stored_as_text_that_reads_back_as_the_same_moment(moment):
    stored = rules.stored_value(moment, NOW)
    assert stored == moment.isoformat()
    assert rules.date(stored, NOW, WEEK) == moment


@given(st.timedeltas(timedelta(days=-9999), timedelta(days=9999)))
def test_a_timedelta_is_stored_as_the_moment_that_it_leads_to_from_now(delta):
    assert rules.stored_value(delta, NOW) == (NOW + delta).isoformat()
    assert rules.stored_value(delta, NAIVE_NOW) == (NAIVE_NOW + delta).isoformat()


@given(MOMENTS)
def test_text_of_a_moment_is_stored_as_it_is(moment):
    assert rules.stored_value(moment.isoformat(), NOW) == moment.isoformat()


@pytest.mark.parametrize(("now", "other"), [(NOW, NAIVE_NOW), (NAIVE_NOW, NOW)])
@pytest.mark.parametrize("spell", [lambda moment: moment, datetime.isoformat])
def test_a_moment_that_cannot_be_compared_with_the_site_s_times_is_refused(now, other, spell):
    with pytest.raises(ValueError, match="cannot be compared") as caught:
        rules.stored_value(spell(other), now)
    assert other.isoformat() in str(caught.value)
    assert f"USE_TZ is {now is NOW}" in str(caught.value)
    assert "timezone.now()" in str(caught.value)


@pytest.mark.parametrize(
    "value", [timedelta.max, timedelta.min, 10**12, -(10**12), 10**400, math.inf, 1e300]
)
def test_a_time_outside_the_calendar_is_refused(value):
    with pytest.raises(ValueError, match="outside the calendar") as caught:
        rules.stored_value(value, NOW)
    assert repr(value) in str(caught.value)
    assert isinstance(caught.value, OverflowError)  # as from Django, which some expect


@pytest.mark.parametrize("value", [math.nan, "tomorrow", ""])
def test_what_is_no_time_is_refused(value):
    with pytest.raises(ValueError, match=r"(the calendar|not an ISO 8601 time)\. Pass a number"):
        rules.stored_value(value, NOW)


@pytest.mark.parametrize("value", [None, object(), b"2031-05-17", [60], {}, NOW.date(), 60j])
def test_what_is_no_expiry_is_refused_with_what_would_be_one(value):
    with pytest.raises(TypeError, match=rf"of type {type(value).__name__}\. Pass a number of"):
        rules.stored_value(value, NOW)


# Age and date


class DjangoArithmetic(DjangoSessionBase):
    """Django's own answers."""

    def __init__(self, default_age):
        self.default_age = default_age

    def get_session_cookie_age(self):
        return self.default_age


@given(STORED, MOMENTS, st.integers(1, 10**8))
def test_age_and_date_are_django_s(expiry, modification, default_age):
    django = DjangoArithmetic(default_age)
    terms = {"expiry": expiry, "modification": modification}
    assert rules.age(expiry, modification, default_age) == django.get_expiry_age(**terms)
    assert rules.date(expiry, modification, default_age) == django.get_expiry_date(**terms)


@given(STORED, MOMENTS, st.integers(1, 10**8))
def test_the_age_leads_from_the_modification_to_the_second_of_the_date(expiry, modification, age):
    left = rules.date(expiry, modification, age) - modification
    assert timedelta(seconds=rules.age(expiry, modification, age)) <= left
    assert left < timedelta(seconds=rules.age(expiry, modification, age) + 1)


@pytest.mark.parametrize("expiry", [None, 0])
def test_without_a_time_of_its_own_a_session_lasts_the_default_age(expiry):
    assert rules.age(expiry, NOW, WEEK) == WEEK
    assert rules.date(expiry, NOW, WEEK) == NOW + timedelta(days=7)


@given(SECONDS.filter(bool))
def test_seconds_count_from_the_modification(seconds):
    assert rules.age(seconds, NOW, WEEK) == seconds
    assert rules.date(seconds, NOW, WEEK) == NOW + timedelta(seconds=seconds)


@given(MOMENTS, MOMENTS, MOMENTS)
def test_a_fixed_moment_does_not_move_with_the_modification(expiry, one, other):
    assert rules.date(expiry, one, WEEK) == rules.date(expiry, other, WEEK) == expiry


BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
SECOND = timedelta(seconds=1)


@given(MOMENTS, MOMENTS)
def test_what_was_stored_before_use_tz_changed_is_the_same_moment(expiry, modification):
    aware, aware_now = expiry.astimezone(BERLIN), modification.astimezone(BERLIN)
    naive, naive_now = aware.replace(tzinfo=None), aware_now.replace(tzinfo=None)
    for stored in (naive, naive.isoformat()):
        is_same = naive.replace(tzinfo=BERLIN)
        assert rules.date(stored, aware_now, WEEK, BERLIN) == is_same
        assert rules.age(stored, aware_now, WEEK, BERLIN) == (is_same - aware_now) // SECOND
    for stored in (expiry, expiry.isoformat()):
        assert rules.date(stored, naive_now, WEEK, BERLIN) == naive
        assert rules.age(stored, naive_now, WEEK, BERLIN) == (naive - naive_now) // SECOND


@pytest.mark.parametrize("moment", [datetime.max, datetime.min])
@pytest.mark.parametrize("zone", [timezone(timedelta(hours=9)), timezone(timedelta(hours=-5))])
def test_a_moment_at_the_end_of_the_calendar_can_be_told_in_each_zone(moment, zone):
    for stored in (moment, moment.replace(tzinfo=UTC)):
        for now in (NOW, NAIVE_NOW):
            assert rules.date(stored.isoformat(), now, WEEK, zone).year == moment.year
            assert abs(rules.age(stored.isoformat(), now, WEEK, zone)) > WEEK


def test_a_moment_that_has_passed_gives_a_negative_age():
    assert rules.age(NOW - timedelta(microseconds=1), NOW, WEEK) == -1
    assert rules.age(NOW - timedelta(seconds=1), NOW, WEEK) == -1
    assert rules.age(NOW, NOW, WEEK) == 0
    assert rules.age(NOW + timedelta(microseconds=1), NOW, WEEK) == 0


# The browser


@pytest.mark.parametrize("default", [True, False])
@pytest.mark.parametrize(
    ("expiry", "expected"),
    [(0, True), (1, False), (-1, False), (NOW, False), (NOW.isoformat(), False), (None, "default")],
)
def test_the_cookie_ends_with_the_browser_at_zero_or_else_where_the_settings_say_so(
    expiry, expected, default
):
    answer = rules.at_browser_close(expiry, default)
    assert answer is (default if expected == "default" else expected)
