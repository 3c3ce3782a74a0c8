"""During a deploy one browser meets servers on Django's sessions and servers on ours."""

import pytest

from tests.interop.browser import Browser
from tests.interop.places import DJANGO, OURS
from tests.interop.processes import Worker

ROUTES = [
    ("django-wsgi", "ours-wsgi"),
    ("ours-asgi", "django-asgi"),
    ("ours-wsgi", "django-asgi"),
    ("django-wsgi", "ours-asgi"),
]


@pytest.fixture(scope="session")
def addresses(sites: dict[str, Worker]) -> dict[str, str]:
    """Where each site serves each interface."""
    sites[DJANGO].ask("add_user", username="ada")
    return {
        f"{name}-{interface}": address
        for name, root in (("django", DJANGO), ("ours", OURS))
        for interface, address in sites[root].ask("serve").items()
    }


@pytest.fixture(params=ROUTES, ids=" ".join)
def route(request: pytest.FixtureRequest, addresses: dict[str, str]) -> list[str]:
    """The two servers behind one load balancer, in the order in which they answer."""
    return [addresses[server] for server in request.param]


def test_no_value_is_lost_on_the_way(route: list[str]) -> None:
    one, other = route
    browser = Browser()
    browser.visit(one, "put", {"first": "𝒶", "both": 1})
    browser.visit(other, "put", {"second": [1, {"x": None}], "both": 2})
    browser.visit(one, "put", {"third": "\0"})
    expected = {"first": "𝒶", "both": 2, "second": [1, {"x": None}], "third": "\0"}
    for server in (one, other, other, one):
        assert browser.visit(server, "look")["data"] == expected


def test_who_logs_in_on_one_is_logged_in_on_both_and_keeps_what_was_there(
    route: list[str],
) -> None:
    one, other = route
    browser = Browser()
    browser.visit(other, "put", {"cart": ["book"]})
    anonymous = browser.session_cookie.value
    browser.visit(one, "log_in", "ada")
    assert browser.session_cookie.value != anonymous
    for server in (other, one, other):
        seen = browser.visit(server, "look")
        assert (seen["user"], seen["data"]) == ("ada", {"cart": ["book"]})


def test_who_logs_out_on_one_is_logged_out_on_both(route: list[str]) -> None:
    one, other = route
    browser = Browser()
    browser.visit(one, "log_in", "ada")
    browser.visit(other, "put", {"a": 1})
    browser.visit(other, "log_out")
    assert browser.session_cookie is None
    for server in (one, other):
        seen = browser.visit(server, "look")
        assert (seen["user"], seen["data"]) == ("", {})


@pytest.mark.stores("db", "cache", "cached_db", "file")  # a signed cookie cannot be called back
def test_a_cookie_that_somebody_kept_is_worth_nothing_after_the_log_out(
    route: list[str],
) -> None:
    one, other = route
    browser, thief = Browser(), Browser()
    browser.visit(one, "log_in", "ada")
    browser.visit(other, "look")
    for cookie in browser.jar:
        thief.jar.set_cookie(cookie)
    assert thief.visit(other, "look")["user"] == "ada"
    browser.visit(other, "log_out")
    assert thief.visit(one, "look")["user"] == ""


def test_an_expiry_set_on_one_is_kept_by_the_other(route: list[str]) -> None:
    one, other = route
    browser = Browser()
    browser.visit(one, "put", {"a": 1})
    assert browser.session_cookie.expires is not None
    browser.visit(one, "set_expiry", 0)
    assert browser.session_cookie.expires is None
    browser.visit(other, "put", {"b": 2})
    assert browser.session_cookie.expires is None
    assert browser.visit(other, "look")["at browser close"]
    browser.visit(other, "set_expiry", 600)
    browser.visit(one, "put", {"c": 3})
    assert browser.session_cookie.expires is not None
    assert not browser.visit(one, "look")["at browser close"]


def test_a_message_left_on_one_is_shown_once_by_the_other(route: list[str]) -> None:
    one, other = route
    browser = Browser()
    browser.visit(one, "leave_message", "saved")
    browser.visit(other, "leave_message", "really")
    assert browser.visit(other, "read_messages") == ["saved", "really"]
    assert browser.visit(one, "read_messages") == []


def test_two_browsers_stay_apart(route: list[str]) -> None:
    one, other = route
    first, second = Browser(), Browser()
    first.visit(one, "put", {"whose": "first"})
    second.visit(other, "put", {"whose": "second"})
    assert first.visit(other, "look")["data"] == {"whose": "first"}
    assert second.visit(one, "look")["data"] == {"whose": "second"}
