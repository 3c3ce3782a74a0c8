"""The cookie that a response sets or deletes."""

from datetime import timedelta

import pytest
from django.test import RequestFactory, override_settings
from django.utils import timezone

from tests.counters import round_trips
from tests.middleware.serving import (
    UNKNOWN_KEY,
    change,
    data_of,
    flush,
    records,
    serve,
    stored,
    untouched,
)

SETTINGS = [
    ("DOMAIN", "example.com", "domain", "example.com"),
    ("DOMAIN", None, "domain", ""),
    ("PATH", "/shop/", "path", "/shop/"),
    ("PATH", "/", "path", "/"),
    ("SECURE", True, "secure", True),
    ("SECURE", False, "secure", ""),
    ("HTTPONLY", True, "httponly", True),
    ("HTTPONLY", False, "httponly", ""),
    ("SAMESITE", "Lax", "samesite", "Lax"),
    ("SAMESITE", "Strict", "samesite", "Strict"),
    ("SAMESITE", "None", "samesite", "None"),
    ("SAMESITE", False, "samesite", ""),
]


@pytest.mark.parametrize(("setting", "value", "attribute", "expected"), SETTINGS)
def test_the_cookie_is_set_as_each_setting_says(mode, setting, value, attribute, expected):
    with override_settings(**{f"SESSION_COOKIE_{setting}": value}):
        cookie = serve(mode, change).cookies["sessionid"]
    assert cookie[attribute] == expected
    assert data_of(cookie.value)


@pytest.mark.parametrize(("setting", "value", "attribute", "expected"), SETTINGS)
def test_the_cookie_is_deleted_where_each_setting_put_it(mode, setting, value, attribute, expected):
    key = stored()
    with override_settings(**{f"SESSION_COOKIE_{setting}": value}):
        cookie = serve(mode, flush, key).cookies["sessionid"]
    assert cookie.value == ""
    assert cookie["max-age"] == 0
    assert cookie["expires"] == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert cookie[attribute] == ("" if setting == "HTTPONLY" else expected)


def test_the_cookie_has_the_name_of_the_settings(mode):
    request = RequestFactory().get("/")
    request.COOKIES["visitor"] = key = stored()
    with override_settings(SESSION_COOKIE_NAME="visitor"):
        response = serve(mode, change, UNKNOWN_KEY, request=request)
        assert response.cookies["visitor"].value == key
        assert "sessionid" not in response.cookies
        request = RequestFactory().get("/")
        request.COOKIES["visitor"] = key
        assert serve(mode, flush, request=request).cookies["visitor"].value == ""


def test_the_cookie_lasts_as_long_as_the_setting_says(mode):
    with override_settings(SESSION_COOKIE_AGE=3600):
        cookie = serve(mode, change).cookies["sessionid"]
    assert cookie["max-age"] == 3600
    assert cookie["expires"]


def test_the_cookie_lasts_until_the_browser_closes_where_the_setting_says_so(mode):
    with override_settings(SESSION_EXPIRE_AT_BROWSER_CLOSE=True):
        cookie = serve(mode, change).cookies["sessionid"]
    assert cookie["max-age"] == ""
    assert cookie["expires"] == ""


@pytest.mark.parametrize(
    ("expiry", "ages"),
    [
        (60, [60]),
        (0, [""]),
        (timedelta(hours=1), [3599, 3600]),
        (None, [1209600]),
    ],
)
def test_the_session_s_own_expiry_comes_before_the_settings(mode, expiry, ages, clock):
    def view(request):
        change(request)
        request.session.set_expiry(expiry)

    assert serve(mode, view).cookies["sessionid"]["max-age"] in ages


def test_a_fixed_expiry_is_told_to_the_browser(mode, clock):
    def view(request):
        request.session.set_expiry(timezone.now() + timedelta(days=1))

    assert 86390 < serve(mode, view).cookies["sessionid"]["max-age"] <= 86400


def test_a_rotated_session_sends_its_new_key(mode):
    old = stored()
    response = serve(mode, lambda request: request.session.cycle_key(), old)
    new = response.cookies["sessionid"].value
    assert new != old
    assert data_of(new) == {"colour": "green"}
    assert data_of(old) == {}
    assert records() == 2  # a forward, for a minute


def test_a_cookie_without_a_session_behind_it_is_not_deleted_before_somebody_asks(mode):
    """Whether the key is known costs a round trip, which an untouched session must not."""
    with round_trips() as trips:
        response = serve(mode, untouched, UNKNOWN_KEY)
    assert not response.cookies
    assert not response.has_header("Vary")
    assert trips == []
