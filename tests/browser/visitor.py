"""Somebody who visits the demo site with a browser of their own.

JavaScript is switched off where a test does not ask for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.browser.demo import Demo
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

COOKIE = "sessionid"


class Visitor:
    def __init__(self, browser: Browser, demo: Demo, **options: Any) -> None:
        self.demo = demo
        self.context = browser.new_context(**{"java_script_enabled": False} | options)
        self.context.set_default_timeout(1000 * PATIENCE)
        self.page = self.context.new_page()

    def open(self, path: str) -> None:
        response = self.page.goto(self.demo.url + path)
        assert response is not None
        assert response.ok, (path, response.status)

    def press(self, button: str) -> None:
        """Send a form, and wait for the whole answer: the address of a page comes before it."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=button, exact=True).click()

    def follow(self, link: str) -> None:
        with self.page.expect_navigation():
            self.page.get_by_role("link", name=link, exact=True).click()

    # What every page shows

    def sees(self, text: str) -> bool:
        return text in self.page.locator("body").inner_text()

    @property
    def logged_in(self) -> bool:
        return self.sees("Logged in as demo")

    @property
    def colour(self) -> str | None:
        """The favourite colour, which the page wears."""
        return self.page.locator("html").get_attribute("data-colour")

    # What the pages are for

    def visit(self) -> int:
        """The number of visits that the page counts, with this one."""
        self.open("/")
        return int(self.page.locator(".count").inner_text())

    def choose_colour(self, colour: str) -> None:
        self.open("/")
        colours = self.page.get_by_role("group", name="Your favourite colour")
        colours.get_by_text(colour.title()).click()
        self.press("Keep this colour")

    def log_in(self, password: str | None = None) -> None:
        self.open("/login/")
        self.page.get_by_label("Username").fill("demo")
        self.page.get_by_label("Password").fill(password or self.demo.password)
        self.press("Log in")

    def inspect(self) -> dict[str, str]:
        """The session's data as the inspector shows it."""
        self.open("/session/")
        rows = self.page.locator("#session-data tbody tr").all()
        return {row.locator("th").inner_text(): row.locator("td").inner_text() for row in rows}

    # The cookie

    def cookie(self) -> dict[str, Any] | None:
        """The session cookie as the browser holds it."""
        cookies = (dict(cookie) for cookie in self.context.cookies(self.demo.url))
        return next((cookie for cookie in cookies if cookie["name"] == COOKIE), None)

    def key(self) -> str:
        cookie = self.cookie()
        assert cookie is not None, "this browser has no session"
        return str(cookie["value"])

    def present(self, key: str) -> None:
        """From now on send this key, wherever it comes from."""
        self.context.add_cookies([{"name": COOKIE, "value": key, "url": self.demo.url}])
