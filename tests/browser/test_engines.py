"""What a visitor of the demo site sees of its sessions, for each engine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from uuid import uuid4

from tests.browser.demo import Demo
from tests.browser.visitor import Visitor

Visitors = Callable[..., Visitor]
TWO_WEEKS = 14 * 24 * 60 * 60


def kept_by_the_client(demo: Demo) -> bool:
    return demo.engine == "signed_cookies"


def chosen_expiry(visitor: Visitor) -> str:
    return visitor.page.locator("label:has(input[name=expiry]:checked)").inner_text().strip()


def test_logging_in_keeps_what_the_session_holds_under_a_new_key(visitor: Visitor):
    visitor.choose_colour("teal")
    key = visitor.key()
    visitor.log_in()
    assert visitor.sees("You are logged in.")
    assert visitor.key() != key
    data = visitor.inspect()
    assert visitor.logged_in
    assert visitor.colour == "teal"
    assert data["fav_color"] == '"teal"'
    assert len(data["_auth_user_hash"]) == len('"123456…"')


def test_a_restart_of_the_server_keeps_colour_visits_and_login(visitor: Visitor, demo: Demo):
    visitor.log_in()
    visitor.choose_colour("violet")
    visits = visitor.visit()
    demo.restart()
    assert visitor.visit() == visits + 1
    assert visitor.colour == "violet"
    assert visitor.logged_in


def test_the_cookie_is_for_http_alone_lax_for_the_whole_site_and_lasts_two_weeks(visitor: Visitor):
    before = math.floor(time.time())
    visitor.visit()
    after = math.ceil(time.time())
    cookie = visitor.cookie()
    assert cookie is not None
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")
    assert before + TWO_WEEKS <= cookie["expires"] <= after + TWO_WEEKS


def test_logging_out_ends_the_session_for_whoever_holds_the_old_cookie(
    visitor: Visitor, visitors: Visitors, demo: Demo
):
    visitor.choose_colour("red")
    visitor.log_in()
    key = visitor.key()
    visitor.press("Log out")
    assert visitor.sees("You are logged out.")
    assert visitor.cookie() is None
    assert visitor.visit() == 1
    assert visitor.colour is None
    assert not visitor.logged_in
    thief = visitors()
    thief.present(key)
    thief.inspect()
    # A cookie that is itself the session cannot be called back; Django's documentation says so.
    assert thief.logged_in is kept_by_the_client(demo)


def test_a_second_browser_is_somebody_else(visitor: Visitor, visitors: Visitors):
    visitor.log_in()
    visitor.choose_colour("green")
    other = visitors()
    assert other.visit() == 1
    assert other.colour is None
    assert not other.logged_in
    other.choose_colour("pink")
    visitor.inspect()
    assert visitor.colour == "green"
    assert visitor.logged_in


def test_a_second_comment_is_turned_away_and_its_form_not_offered(
    visitor: Visitor, visitors: Visitors
):
    first, second = f"first {uuid4()}", f"second {uuid4()}"
    visitor.open("/comment/")
    other_tab = visitor.context.new_page()
    other_tab.goto(visitor.page.url)
    visitor.page.get_by_label("Your comment").fill(first)
    visitor.press("Post comment")
    assert visitor.sees("Thanks for your comment!")
    assert visitor.page.get_by_label("Your comment").count() == 0
    other_tab.get_by_label("Your comment").fill(second)
    other_tab.get_by_role("button", name="Post comment").click()
    assert "You've already commented." in other_tab.locator(".messages .info").inner_text()
    other = visitors()
    other.open("/comment/")
    assert other.sees(first)
    assert not other.sees(second)
    assert other.page.get_by_label("Your comment").count() == 1


def test_the_test_cookie_comes_back_and_is_deleted_for_good(visitor: Visitor):
    visitor.open("/test-cookie/")
    assert visitor.inspect()["testcookie"] == '"worked"'
    visitor.open("/test-cookie/")
    visitor.press("Find out")
    assert visitor.sees("It does.")
    assert "testcookie" not in visitor.inspect()


def test_the_inspector_shows_the_session_and_never_the_key(visitor: Visitor, demo: Demo):
    visitor.visit()
    key = visitor.key()
    assert visitor.inspect()["visits"] == "1"
    shown = visitor.page.locator("#session-key").inner_text()
    if kept_by_the_client(demo):
        assert shown == f"none: the cookie is the session, {len(key)} characters"
        secrets = key.split(":")
    else:
        assert shown == key[:6] + "…"
        secrets = [key]
    page = visitor.page.content()
    assert [secret for secret in secrets if secret in page] == []


def test_the_inspector_names_the_engine_and_its_stores_and_starts_no_session(
    visitor: Visitor, demo: Demo
):
    assert visitor.inspect() == {}
    assert visitor.cookie() is None
    stores = visitor.page.locator("#stores").inner_text()
    assert f"dj_sessions.backends.{demo.engine}" in stores
    assert ("SQLite: table django_session" in stores) is (demo.engine in {"db", "cached_db"})
    assert ("RedisCache: redis://" in stores) is (demo.engine in {"cache", "cached_db"})
    assert visitor.sees(f"served over {demo.interface.upper()}")


def test_a_chosen_expiry_is_the_cookies(visitor: Visitor):
    visitor.visit()
    visitor.inspect()
    assert chosen_expiry(visitor).startswith("The site's default")
    visitor.page.get_by_label("Five minutes").check()
    before = math.floor(time.time())
    visitor.press("Set expiry")
    after = math.ceil(time.time())
    cookie = visitor.cookie()
    assert cookie is not None
    assert before + 300 <= cookie["expires"] <= after + 300
    assert chosen_expiry(visitor).startswith("Five minutes")
    visitor.page.get_by_label("When the browser is closed").check()
    visitor.press("Set expiry")
    cookie = visitor.cookie()
    assert cookie is not None
    assert cookie["expires"] == -1
    assert visitor.sees("its cookie ends when the browser is closed")
    assert chosen_expiry(visitor).startswith("When the browser is closed")


def test_a_new_key_keeps_the_data_and_the_old_one_opens_nothing(
    visitor: Visitor, visitors: Visitors, demo: Demo
):
    visitor.visit()
    key = visitor.key()
    visitor.inspect()
    visitor.press("New key, same data")
    assert visitor.key() != key
    assert visitor.inspect()["visits"] == "1"
    other = visitors()
    other.present(key)
    assert ("visits" in other.inspect()) is kept_by_the_client(demo)
