"""The admin of the sessions of users, in a browser whose requests Django's test client answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from dj_sessions.user_sessions.models import UserSession
from tests.browser.test_warning import LIGHT
from tests.user_sessions.rows import row_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

LIST = "admin:dj_user_sessions_usersession_changelist"
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

pytestmark = pytest.mark.stores("db", database="sqlite")


@pytest.fixture
def rows(user: Any, listed: Any) -> list[UserSession]:
    """The sessions of Ada."""
    return [row_of(user) for _ in range(3)]


@pytest.mark.parametrize(
    ("viewport", "scheme"),
    [(DESKTOP, "light"), (PHONE, "dark")],
    ids=["desktop-light", "phone-dark"],
)
def test_somebody_ends_sessions(admin_pages, rows, viewport, scheme):
    page = admin_pages(reverse(LIST), viewport=viewport, color_scheme=scheme)
    page.locator("td.field-whose").get_by_role("link", name="ada").first.click()
    shows(page, 3)
    choose(page, rows[:2])
    page.get_by_text("2 sessions will be ended.").wait_for()
    assert page.evaluate("document.scrollingElement.scrollWidth") <= viewport["width"]
    ink, paper = page.evaluate(LIGHT, page.locator("body").element_handle())
    assert (paper < 0.1) == (scheme == "dark")
    assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) >= 4.5
    page.get_by_role("link", name="No, take me back").click()
    shows(page, 3)
    choose(page, rows[:2])
    page.get_by_role("button", name="Yes, I’m sure").click()
    page.get_by_text("2 sessions were ended.").wait_for()
    page.get_by_role("link", name="Live").click()
    shows(page, 1)


def choose(page: Page, rows: list[UserSession]) -> None:
    for row in rows:
        page.locator("tr", has_text=row.public_id).get_by_role("checkbox").check()
    page.locator("select[name=action]").select_option("End selected sessions")
    page.locator(".actions button[type=submit]").click()


def shows(page: Page, rows: int) -> None:
    """Wait until the list has that many rows."""
    count = "rows => document.querySelectorAll('#result_list tbody tr').length === rows"
    page.wait_for_function(count, arg=rows)
