"""What the pages of the demo site do that no engine can change."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.visitor import Visitor

PATHS = (
    *("/", "/comment/", "/test-cookie/", "/session/", "/limits/", "/side-by-side/"),
    "/devices/",
)
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
    visitor.follow("Admin")
    assert visitor.sees("Site administration")
    visitor.follow("Comments")
    assert visitor.sees("Select comment to change")


def test_pages_fit_a_narrow_screen_in_light_and_in_dark(visitors: Callable[..., Visitor]):
    backgrounds = set()
    for scheme in ("light", "dark"):
        visitor = visitors(color_scheme=scheme, viewport={"width": 360, "height": 640})
        visitor.log_in()
        for path in (
            "/",
            "/comment/",
            "/test-cookie/",
            "/session/",
            "/limits/",
            "/side-by-side/",
            "/devices/",
        ):
            visitor.open(path)
            width = visitor.page.evaluate("document.documentElement.scrollWidth")
            assert (path, width) == (path, 360)
        look = "getComputedStyle(document.body).backgroundColor"
        backgrounds.add(visitor.page.evaluate(look))
    assert len(backgrounds) == 2


@pytest.mark.parametrize("width", [390, 1000])
def test_the_header_is_one_row(visitors: Callable[..., Visitor], width: int):
    visitor = visitors(viewport={"width": width, "height": 844})
    visitor.log_in()
    visitor.open("/")
    parts = visitor.page.locator("header :is(a, button):visible").all()
    assert len(parts) == (2 if width == 390 else 10)
    boxes = [box for part in parts if (box := part.bounding_box())]
    assert max(box["y"] for box in boxes) < min(box["y"] + box["height"] for box in boxes)


def test_the_menu_of_a_phone_opens_without_javascript(visitors: Callable[..., Visitor]):
    visitor = visitors(viewport={"width": 390, "height": 844})
    visitor.open("/")
    assert not visitor.page.get_by_role("link", name="Inspector").is_visible()
    visitor.page.get_by_role("button", name="Menu").click()
    visitor.follow("Inspector")
    assert visitor.sees("This browser’s session")


def test_the_code_of_a_page_can_be_copied(visitors: Callable[..., Visitor]):
    allowed = ["clipboard-read", "clipboard-write"]
    visitor = visitors(java_script_enabled=True, permissions=allowed)
    visitor.open("/")
    visitor.page.get_by_text("The view behind this page").click()
    visitor.page.get_by_role("button", name="Copy").click()
    visitor.page.get_by_role("button", name="Copied").wait_for()
    copied = visitor.page.evaluate("navigator.clipboard.readText()")
    assert copied == visitor.page.locator(".source code").text_content()
    assert "async def visits" in copied


def test_without_javascript_there_is_no_button_that_does_nothing(visitor: Visitor):
    visitor.open("/")
    visitor.page.get_by_text("The view behind this page").click()
    assert visitor.page.get_by_role("button", name="Copy").count() == 0
