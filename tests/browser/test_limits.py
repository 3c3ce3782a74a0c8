"""A session that ends by the limits of the demo site, and the page on which one sets one's own."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.browser.demo import Demo
from tests.browser.visitor import Visitor

#: Seconds, which the site's setting gives to each session. What is done in time has half of them.
IDLE = 12


@pytest.fixture(params=["wsgi", "asgi"])
def demo(request: pytest.FixtureRequest, demos: Callable[..., Demo]) -> Demo:
    if request.param is None:
        return demos("wsgi", SESSION_ENGINE="db")
    return demos(request.param, SESSION_IDLE_AGE=str(IDLE))


def limits_page(visitors: Callable[..., Visitor]) -> Visitor:
    """A visitor on the page that asks every two seconds how long the session lasts."""
    visitor = visitors(java_script_enabled=True)
    visitor.log_in()
    visitor.open("/limits/")
    return visitor


def test_one_who_does_nothing_is_warned_and_logged_out_whatever_the_page_asks(visitors):
    asked: list[str] = []
    visitor = limits_page(visitors)
    visitor.page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    expires = visitor.cookie()["expires"]
    visitor.page.get_by_role("dialog").wait_for()
    assert visitor.logged_in
    assert visitor.cookie()["expires"] == expires
    visitor.page.get_by_role("link", name="Log in", exact=True).first.wait_for()
    assert time.time() < expires + IDLE / 2  # and not later and later
    assert not visitor.logged_in
    assert visitor.sees("Your session has ended, and you are logged out.")
    assert visitor.cookie() is None
    questions = [request for request in asked if request.endswith("/session/remaining/")]
    assert len(questions) >= 3  # of six
    assert all(question.startswith("GET ") for question in questions)


def test_one_who_wants_to_stay_stays(visitors):
    visitor = limits_page(visitors)
    start = time.monotonic()
    visitor.page.get_by_role("dialog").wait_for()
    expires = visitor.cookie()["expires"]
    with visitor.page.expect_response("**/session/remaining/") as answer:
        visitor.page.keyboard.press("Enter")
    assert answer.value.request.method == "POST"
    visitor.page.get_by_role("dialog").wait_for(state="hidden")
    assert visitor.cookie()["expires"] > expires
    visitor.page.wait_for_timeout(1000 * max(0, start + IDLE + 0.5 - time.monotonic()))
    remaining = visitor.context.request.get(f"{visitor.demo.url}/session/remaining/").json()
    assert remaining["authenticated"]
    assert 0 <= remaining["idle"] < IDLE


@pytest.mark.parametrize("demo", [None], indirect=True, ids=["without limits"])
def test_one_sets_a_limit_of_one_s_own_and_sees_it(visitor):
    visitor.open("/")
    visitor.follow("when your session ends")
    assert visitor.sees("Log in to see that.")
    for setting in ("SESSION_IDLE_AGE", "SESSION_ABSOLUTE_AGE", "SESSION_ANONYMOUS_AGE"):
        assert visitor.page.get_by_role("term").filter(has_text=setting).is_visible()
    visitor.log_in()
    visitor.open("/session/")
    assert visitor.page.locator("#idle").inner_text().startswith("13 days")
    for choice, seen in (("After a minute", "seconds"), ("In two minutes", "1 minute")):
        visitor.open("/limits/")
        visitor.page.get_by_label(choice).check()
        visitor.press("Set the limit")
        assert visitor.page.get_by_label(choice).is_checked()
        visitor.open("/session/")
        assert seen in visitor.page.locator("#idle").inner_text()
    assert "1 minute" in visitor.page.locator("#absolute").inner_text()
