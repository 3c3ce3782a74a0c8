"""The sessions on the admin's index, in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.urls import reverse

from tests import panels
from tests.browser.test_sessions_admin import DESKTOP, PHONE
from tests.browser.test_warning import LIGHT

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.stores("db", database="sqlite")

INDEX = reverse("admin:index")
#: A key that no line of a phone has room for.
LONG = "x" * 200


@pytest.fixture
def sessions(store: Any) -> Iterator[None]:
    """Three of Ada, one of nobody, and the panel that shows them."""
    for data in ({SESSION_KEY: "7", "cart": "x" * 3000}, {SESSION_KEY: "7"}, {LONG: "y" * 500}):
        session = store.SessionStore()
        session.update(data)
        session.save()
    with panels.shown():
        yield


#: What gives an element its background: itself, or what is around it.
GROUND = """element => {
  while (/, 0\\)$/.test(getComputedStyle(element).backgroundColor)) element = element.parentElement;
  return element;
}"""


@pytest.mark.parametrize(
    ("viewport", "scheme"),
    [(DESKTOP, "light"), (PHONE, "dark")],
    ids=["desktop-light", "phone-dark"],
)
def test_it_fits_the_page_and_can_be_read(admin_pages, sessions, viewport, scheme):
    page = admin_pages(INDEX, viewport=viewport, color_scheme=scheme)
    panel = page.get_by_role("region", name="Sessions", exact=True)
    assert panel.get_by_role("heading", level=2).inner_text() == "Sessions"
    live = panel.get_by_role("row").filter(
        has=page.get_by_role("rowheader", name="Live", exact=True)
    )
    assert live.get_by_role("cell").inner_text() == "4"
    assert page.evaluate("document.scrollingElement.scrollWidth") <= viewport["width"]
    apps, actions, ours = (
        part.bounding_box()
        for part in (page.locator("#content-main"), page.locator("#content-related"), panel)
    )
    assert (ours["x"], ours["width"]) == (apps["x"], apps["width"])
    assert ours["y"] >= max(part["y"] + part["height"] for part in (apps, actions))
    texts = panel.locator("h2, th, td, p").all()
    assert len(texts) > 20
    for text in texts:
        ink, paper = colours(page, text)
        assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) >= 4.5, text.inner_text()
    assert (paper < 0.1) == (scheme == "dark")


def colours(page: Page, text: Locator) -> tuple[float, float]:
    """How light a text is, and its ground."""
    element = text.element_handle()
    ink, _ = page.evaluate(LIGHT, element)
    _, paper = page.evaluate(LIGHT, page.evaluate_handle(GROUND, element))
    return ink, paper
