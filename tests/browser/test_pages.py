"""What the pages of the demo site do that no engine can change."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.visitor import Visitor

pytestmark = pytest.mark.parametrize("demo", [("db", "wsgi")], indirect=True, ids="-".join)


def test_a_wrong_password_logs_nobody_in(visitor: Visitor):
    visitor.log_in(password="wrong")
    assert visitor.sees("Please enter a correct username and password")
    assert not visitor.logged_in


def test_a_message_is_shown_once(visitor: Visitor):
    visitor.choose_colour("blue")
    assert visitor.sees("Your favourite colour is blue.")
    visitor.open("/")
    assert not visitor.sees("Your favourite colour is blue.")


def test_forgetting_the_colour_keeps_the_rest(visitor: Visitor):
    visitor.choose_colour("blue")
    visitor.press("Forget it")
    data = visitor.inspect()
    assert "fav_color" not in data
    assert data["visits"] == "3"


def test_forgetting_everything_deletes_the_cookie(visitor: Visitor):
    visitor.visit()
    visitor.inspect()
    visitor.press("Forget everything")
    assert visitor.sees("The session and its cookie are deleted.")
    assert visitor.cookie() is None
    assert visitor.inspect() == {}


def test_a_browser_that_drops_cookies_is_told_to_keep_them(visitor: Visitor):
    visitor.open("/test-cookie/")
    visitor.context.clear_cookies()
    visitor.press("Find out")
    assert visitor.sees("Please enable cookies and try again.")


def test_reading_starts_no_session(visitor: Visitor):
    for path in ("/comment/", "/login/", "/session/"):
        visitor.open(path)
        assert visitor.cookie() is None


def test_an_empty_comment_may_be_corrected(visitor: Visitor):
    visitor.open("/comment/")
    visitor.press("Post comment")
    assert visitor.sees("This field is required.")
    assert "has_commented" not in visitor.inspect()


def test_the_inspector_tells_writes_from_reads(visitor: Visitor):
    def last_written() -> str:
        visitor.inspect()
        return visitor.page.locator("#last-written time").get_attribute("datetime")

    visitor.visit()
    written = last_written()
    assert last_written() == written
    visitor.visit()
    assert last_written() > written


def test_a_page_shows_the_code_of_its_own_view(visitor: Visitor):
    visitor.open("/")
    visitor.page.get_by_text("The view behind this page").click()
    assert visitor.sees('await request.session.aset("visits", count)')


def test_the_admin_opens_for_the_demo_user(visitor: Visitor):
    visitor.log_in()
    visitor.page.get_by_role("link", name="Admin").click()
    assert visitor.sees("Site administration")
    visitor.page.get_by_role("link", name="Comments", exact=True).click()
    assert visitor.sees("Select comment to change")


def test_pages_fit_a_narrow_screen_in_light_and_in_dark(visitors: Callable[..., Visitor]):
    backgrounds = set()
    for scheme in ("light", "dark"):
        visitor = visitors(color_scheme=scheme, viewport={"width": 360, "height": 640})
        visitor.log_in()
        for path in ("/", "/comment/", "/test-cookie/", "/session/"):
            visitor.open(path)
            width = visitor.page.evaluate("document.documentElement.scrollWidth")
            assert (path, width) == (path, 360)
        look = "getComputedStyle(document.body).backgroundColor"
        backgrounds.add(visitor.page.evaluate(look))
    assert len(backgrounds) == 2
