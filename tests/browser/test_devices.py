"""The page on which one sees where one is logged in, on the demo site, in several browsers."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from tests.browser.demo import Demo
from tests.browser.visitor import Visitor

PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)
REAUTH_AGE = 2  # seconds


@pytest.fixture(params=["wsgi"])
def demo(request: pytest.FixtureRequest, demos: Callable[..., Demo]) -> Demo:
    if request.param == "reauth":
        return demos("wsgi", SESSION_REAUTH_AGE=str(REAUTH_AGE))
    return demos(request.param, SESSION_ENGINE="db")


def comes(visitors: Callable[..., Visitor], **options: object) -> Visitor:
    visitor = visitors(**options)
    visitor.log_in()
    return visitor


def is_logged_in(visitor: Visitor) -> bool:
    visitor.open("/")
    return visitor.logged_in


def ending(visitor: Visitor) -> list[str]:
    """What the buttons that end other sessions are called, to whoever hears the page."""
    found = visitor.page.get_by_role("button", name="End the session").all()
    return [button.get_attribute("aria-label") or "" for button in found]


@pytest.mark.parametrize(
    ("demo", "java_script_enabled"), [("wsgi", False), ("asgi", True)], indirect=["demo"]
)
def test_one_ends_a_session_and_then_all_the_others(visitors, java_script_enabled):
    phone = comes(visitors, user_agent=PHONE)
    others = [comes(visitors), comes(visitors)]
    here = comes(visitors, java_script_enabled=java_script_enabled)
    here.page.get_by_role("link", name="Logged in as demo").click()
    here.page.get_by_role("heading", name="Where you are logged in", level=1).wait_for()
    assert here.page.title() == "Where you are logged in · dj_sessions demo"
    headings = here.page.get_by_role("heading", level=2).all_inner_texts()
    assert headings == ["This device", "Other devices"]
    assert "End the session: Safari on iOS, last seen just now" in ending(here)
    here.page.get_by_role("button", name="End the session: Safari on iOS").first.click()
    here.page.get_by_text("The session is ended.").wait_for()
    assert [is_logged_in(visitor) for visitor in (phone, *others)] == [False, True, True]
    here.press("End all other sessions")
    here.page.get_by_text("other sessions are ended.").wait_for()
    assert here.sees("You are logged in nowhere else.")
    assert [is_logged_in(visitor) for visitor in others] == [False, False]
    with here.page.expect_navigation():
        here.page.locator("main").get_by_role("button", name="Log out").click()
    assert not is_logged_in(here)


@pytest.mark.parametrize("demo", ["reauth"], indirect=True)
def test_an_old_login_is_asked_for_the_password_before_it_ends_others(visitors):
    there, here = comes(visitors), comes(visitors)
    here.page.wait_for_timeout(1000 * REAUTH_AGE + 100)
    here.open("/devices/")
    here.press("End all other sessions")
    here.page.get_by_role("heading", name="Log in").wait_for()
    assert is_logged_in(there)
    for _ in range(20):  # on a busy machine, this login is soon as old
        log_in_again(here)
        here.press("End all other sessions")
        if here.sees("You are logged in nowhere else."):
            break
    assert not is_logged_in(there)


def log_in_again(visitor: Visitor) -> None:
    """Give the password on the page that asks for it, and come back."""
    visitor.page.get_by_label("Username").fill("demo")
    visitor.page.get_by_label("Password").fill(visitor.demo.password)
    visitor.page.locator("main").get_by_role("button", name="Log in").click()
    visitor.page.wait_for_url(f"{visitor.demo.url}/devices/")


def test_it_fits_a_phone_and_a_desktop_in_light_and_in_dark(visitors):
    comes(visitors, user_agent=PHONE)
    here = comes(visitors)
    here.open("/devices/")
    names, papers = ending(here), set()
    assert names
    assert all(name.startswith("End the session: ") for name in names)
    for width, scheme in product((390, 1280), ("light", "dark")):
        here.page.set_viewport_size({"width": width, "height": 844})
        here.page.emulate_media(color_scheme=scheme)
        assert here.page.evaluate("document.documentElement.scrollWidth") == width
        papers.add(here.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        for button in here.page.locator("main").get_by_role("button").all():
            box = button.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["height"] >= 24
    assert len(papers) == 2
