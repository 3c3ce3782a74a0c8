"""A site that exists in the browser alone: what it answers is what the test says.

Django renders the page with the warning in this process, the script and the style are the package's
files, and the URL of the remaining times answers by what `Site` holds. Time is the test's as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from django.http import HttpResponse
from django.template import Context, Engine
from django.test import RequestFactory, override_settings
from django.urls import include, path
from django.utils import translation

import dj_sessions
from dj_sessions.backends.base import Remaining

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Route

WARNED_AT = 480  # of 600 seconds: the lead is 120
HOME = "http://site.test"
PACKAGE = Path(dj_sessions.__file__).parent
TYPES = {".js": "text/javascript", ".css": "text/css"}
#: Without 'unsafe-inline': neither a script nor a style in the page counts.
CSP = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>A page</title></head>
<body><h1>A page</h1><label>A note <input></label>
{{% load dj_sessions %}}{{% session_expiry_warning {} %}}</body></html>"""
ENGINE = Engine(
    libraries={
        "dj_sessions": "dj_sessions.templatetags.dj_sessions",
        "i18n": "django.templatetags.i18n",
        "static": "django.templatetags.static",
    },
    dirs=[PACKAGE / "templates"],
)


@dataclass
class Site:
    """What is so on the server; `asked` and `visited` are the requests that came."""

    idle: int | None = 600
    absolute: int | None = None
    renewed: int = 600
    is_over: bool = False
    trouble: Callable[[Route], object] | None = None
    arguments: str = ""
    language: str = "en"
    csp: str = CSP
    asked: list[str] = field(default_factory=list)
    posted: list[dict[str, list[str]]] = field(default_factory=list)
    visited: list[str] = field(default_factory=list)

    def answer(self, route: Route) -> None:
        request = route.request
        place = urlsplit(request.url).path
        if place == "/remaining/":
            self.asked.append(request.method)
            (self.trouble or self.tell)(route)
        elif place.startswith("/static/"):
            file = PACKAGE / place[1:]
            route.fulfill(body=file.read_text(), content_type=TYPES[file.suffix])
        else:
            self.visited.append(f"{request.method} {place}")
            body = "Nobody is logged in" if self.is_over or place != "/" else self.page()
            headers = {"Content-Security-Policy": self.csp, "Content-Type": "text/html"}
            route.fulfill(body=body, headers=headers)

    def tell(self, route: Route) -> None:
        if route.request.method == "POST":
            self.posted.append(parse_qs(route.request.post_data or ""))
            self.idle = min(self.renewed, self.absolute or self.renewed)
        told: dict[str, Any] = {"authenticated": True, "idle": self.idle, "absolute": self.absolute}
        if self.is_over:
            told = {"authenticated": False, "idle": None, "absolute": None}
        route.fulfill(json=told)

    def page(self) -> str:
        """The page as Django makes it now."""
        request: Any = RequestFactory().get("/")
        remaining = Remaining(self.idle, self.absolute)
        request.session = SimpleNamespace(get_remaining=lambda: remaining)
        request.user = SimpleNamespace(is_authenticated=True)
        template = ENGINE.from_string(PAGE.format(self.arguments))
        with translation.override(self.language), override_settings(ROOT_URLCONF=__name__):
            return template.render(Context({"request": request}))


class Tab:
    """A page of the site in the browser."""

    def __init__(self, site: Site, context: BrowserContext) -> None:
        self.site, self.page = site, context.new_page()
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self.note)
        self.page.goto(HOME)

    def note(self, message: Any) -> None:
        # That a request failed is what some tests are about.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.problems.append(message.text)

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog", include_hidden=True)

    def is_warned(self) -> bool:
        """Whether the warning is there; first wait until nothing more is under way."""
        self.settle()
        return self.dialog.is_visible()

    def goes_idle(self) -> None:
        """Let time go on until the warning is there, two minutes before the end."""
        self.site.idle = 120
        self.later(WARNED_AT)
        self.waits_for_warning()

    def settle(self) -> None:
        self.page.wait_for_load_state("networkidle")

    def waits_for_warning(self) -> None:
        self.dialog.wait_for(state="visible")

    def waits_for_no_warning(self) -> None:
        self.dialog.wait_for(state="hidden")

    def waits_for(self, text: str) -> None:
        self.page.get_by_text(text).first.wait_for()  # what is seen stands before what is said

    def part(self, name: str) -> str:
        return self.page.locator(f"[data-part={name}]").text_content() or ""

    @property
    def focused(self) -> str:
        """What the focused element is called: its text, or its name in HTML."""
        focused = "document.activeElement"
        return str(self.page.evaluate(f"{focused}.textContent || {focused}.localName"))

    def passes(self, seconds: float) -> None:
        """Let time go on, with all that happens in it."""
        self.page.clock.run_for(int(seconds * 1000))

    def later(self, seconds: float) -> None:
        """Let much time go on: what is due is done once, as when a laptop is opened again."""
        self.page.clock.fast_forward(int(seconds * 1000))


urlpatterns = [
    path("", include("dj_sessions.urls")),
    # The browser gets its answer from `Site`.
    path("logout/", HttpResponse, name="logout"),
]
