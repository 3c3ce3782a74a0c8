"""`_http.cookies`: the session cookie, set and expired with the same attributes."""

from email.utils import parsedate_to_datetime
from itertools import product
from time import time

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.utils.http import http_date

from dj_sessions._http import cookies

VALUES = {
    "domain": (None, "example.com"),
    "path": ("/", "/shop/"),
    "secure": (False, True),
    "httponly": (False, True),
    "samesite": ("Lax", "Strict", "None", False, None),
}
COMBINATIONS = [dict(zip(VALUES, values, strict=True)) for values in product(*VALUES.values())]


def written(attributes, max_age=60):
    response = HttpResponse()
    cookies.write(response, "sessionid", "abcdefgh", attributes, max_age)
    return response.cookies["sessionid"]


def expired(attributes, name="sessionid"):
    response = HttpResponse()
    cookies.expire(response, name, attributes)
    return response.cookies[name]


def test_the_attributes_are_those_of_the_settings():
    with override_settings(
        SESSION_COOKIE_DOMAIN="example.com",
        SESSION_COOKIE_PATH="/shop/",
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=False,
        SESSION_COOKIE_SAMESITE="Strict",
    ):
        assert cookies.attributes() == {
            "domain": "example.com",
            "path": "/shop/",
            "secure": True,
            "httponly": False,
            "samesite": "Strict",
        }


@pytest.mark.parametrize("attributes", COMBINATIONS, ids=str)
def test_a_cookie_is_written_with_each_attribute(attributes):
    cookie = written(attributes)
    assert cookie.value == "abcdefgh"
    assert cookie["domain"] == (attributes["domain"] or "")
    assert cookie["path"] == attributes["path"]
    assert bool(cookie["secure"]) is attributes["secure"]
    assert bool(cookie["httponly"]) is attributes["httponly"]
    assert cookie["samesite"] == (attributes["samesite"] or "")


@pytest.mark.parametrize("attributes", COMBINATIONS, ids=str)
def test_a_cookie_is_expired_where_it_was_set(attributes):
    """A browser forgets only the cookie of the same domain and path."""
    was, cookie = written(attributes), expired(attributes)
    for name in ("domain", "path", "samesite"):
        assert cookie[name] == was[name]
    assert cookie.value == ""
    assert cookie["max-age"] == 0
    assert parsedate_to_datetime(cookie["expires"]).timestamp() == 0
    assert cookie["httponly"] == ""


@pytest.mark.parametrize("attributes", COMBINATIONS, ids=str)
def test_an_expired_cookie_is_secure_where_it_was_or_where_browsers_ask_for_it(attributes):
    demanded = attributes["secure"] or attributes["samesite"] == "None"
    assert bool(expired(attributes)["secure"]) is demanded


@pytest.mark.parametrize("name", ["__Host-sessionid", "__Secure-sessionid"])
def test_an_expired_cookie_whose_name_asks_for_secure_has_it(name):
    assert expired({"path": "/"}, name)["secure"] is True


def test_a_cookie_expires_with_its_age():
    before = int(time())
    cookie = written({"path": "/"}, max_age=3600)
    after = int(time())
    assert cookie["max-age"] == 3600
    assert cookie["expires"] in [http_date(at + 3600) for at in range(before, after + 1)]


def test_without_an_age_a_cookie_lasts_until_the_browser_closes():
    cookie = written({"path": "/"}, max_age=None)
    assert cookie["max-age"] == ""
    assert cookie["expires"] == ""


def test_attributes_that_a_site_leaves_out_are_not_sent():
    assert written({}).OutputString() == written({"secure": False}).OutputString()
    assert expired({}).OutputString() == (
        'sessionid=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/'
    )


def test_a_streaming_response_takes_the_cookie_too():
    response = StreamingHttpResponse(iter([b"part"]))
    cookies.write(response, "sessionid", "abcdefgh", {"path": "/"}, None)
    assert response.cookies["sessionid"].value == "abcdefgh"


def test_the_attributes_that_were_given_are_not_changed():
    attributes = {"path": "/", "httponly": True, "samesite": "None"}
    expired(attributes)
    assert attributes == {"path": "/", "httponly": True, "samesite": "None"}
