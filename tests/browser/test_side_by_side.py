"""The page that runs Django's engines and ours side by side: what it shows, and what it leaves."""

from __future__ import annotations

import re
import sqlite3
import urllib.parse
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.cookiejar import CookieJar

import pytest

from tests.browser.demo import Demo
from tests.browser.visitor import Visitor
from tests.patience import PATIENCE

Table = dict[str, list[str]]

on_db = pytest.mark.parametrize("demo", [("db", "wsgi")], indirect=True, ids="-".join)


def run(visitor: Visitor, name: str) -> tuple[str, Table]:
    """The sentence and the table that a run shows."""
    visitor.open("/side-by-side/")
    with visitor.page.expect_navigation():
        visitor.page.locator(f"#{name}").get_by_role("button", name="Run").click()
    assert visitor.page.url.endswith(f"#{name}")
    card = visitor.page.locator(f"#{name}")
    rows = card.locator("tbody tr").all()
    table = {row.locator("th").inner_text(): row.locator("td").all_inner_texts() for row in rows}
    return card.get_by_role("status").inner_text(), table


def sessions(demo: Demo) -> set[str]:
    """The names of the sessions in the database and in the folder, without forwards."""
    with closing(sqlite3.connect(demo.var_dir / "db.sqlite3")) as connection:
        rows = connection.execute("SELECT session_key FROM django_session").fetchall()
    files = {path.name for path in (demo.var_dir / "sessions").iterdir()}
    return {key for (key,) in rows if key[0] != "#"} | files


def first_lines(table: Table) -> Table:
    return {what: [text.splitlines()[0] for text in texts] for what, texts in table.items()}


def test_it_shows_what_each_side_does(visitor: Visitor, demo: Demo):
    by_the_client = demo.engine == "signed_cookies"
    before = sessions(demo)

    sentence, table = run(visitor, "parallel")
    kept = "1 of 8" if by_the_client else "8 of 8"
    assert sentence == f"Django kept 1 of 8, dj_sessions kept {kept}."
    assert table == {"Keys kept": ["1 of 8", kept], "Requests that failed": ["0", "0"]}

    sentence, table = run(visitor, "logout")
    ended, back = "it stays ended\nSessionInterrupted", "it is back, logged in"
    if by_the_client:
        assert table == {"It saves": [back, back], "It changes the key": [back, back]}
    else:
        assert table == {"It saves": [ended, ended], "It changes the key": [back, ended]}

    sentence, table = run(visitor, "outage")
    assert sentence == "Django logged out 1 of 2 visitors, dj_sessions logged out 0 of 2 visitors."
    error = "an error\nConnectionRefusedError"
    assert table == {
        "cache, during the outage": ["logged out", error],
        "cache, after it": ["logged out", "logged in"],
        "cached_db, during the outage": [error, "logged in"],
        "cached_db, after it": ["logged in", "logged in"],
    }

    sentence, table = run(visitor, "statements")
    counts = {what: [int(text) for text in texts] for what, texts in first_lines(table).items()}
    assert list(counts) == ["Create", "Save", "New key", "Log out"]
    assert [ours for _, ours in counts.values()] == [1, 1, 2, 1]
    assert all(django > ours for django, ours in counts.values())
    django, ours = map(sum, zip(*counts.values(), strict=True))
    assert sentence == f"Django sent {django} statements, dj_sessions sent {ours} statements."

    assert sessions(demo) == before
    assert visitor.cookie() is None


@on_db
def test_a_run_of_the_others_changes_no_count(visitor: Visitor):
    first = run(visitor, "statements")
    visitor.press("Run all four")
    assert run(visitor, "statements") == first
    assert "post_delete" not in visitor.page.locator("#statements").inner_text()


@on_db
def test_nothing_is_run_before_it_is_asked_for(visitor: Visitor):
    visitor.open("/")
    visitor.follow("Compare them")
    assert visitor.page.locator("table").count() == 0
    assert visitor.page.get_by_role("navigation").get_by_role("link").first.inner_text() == (
        "Side by side"
    )


@on_db
def test_several_visitors_may_run_it_at_once(demo: Demo):
    def visit(_: int) -> list[str]:
        keeps_cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        opener = urllib.request.build_opener(keeps_cookies)
        url = demo.url + "/side-by-side/"
        with opener.open(url, timeout=PATIENCE) as answer:
            token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', answer.read().decode())
        assert token is not None
        form = urllib.parse.urlencode({"csrfmiddlewaretoken": token[1], "run": "all"}).encode()
        with opener.open(url, form, timeout=PATIENCE) as answer:
            return re.findall(r'class="result" role="status">(.+?)<', answer.read().decode())

    with ThreadPoolExecutor(6) as threads:
        pages = list(threads.map(visit, range(6)))
    assert len(pages[0]) == 4
    assert pages == [pages[0]] * 6


CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgb = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (colours) => {
    const [r, g, b] = rgb(colours).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const texts = [...document.querySelectorAll("body *")].filter((element) =>
    element.checkVisibility() && element.getBoundingClientRect().right > 0
    && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  return texts.map((element) => {
    const behind = [];
    for (let e = element; e; e = e.parentElement)
      behind.unshift(getComputedStyle(e).backgroundColor);
    const ground = light(behind), ink = light([...behind, getComputedStyle(element).color]);
    const ratio = (Math.max(ground, ink) + 0.05) / (Math.min(ground, ink) + 0.05);
    return [element.textContent.trim().slice(0, 40), ratio];
  });
}"""


@on_db
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_can_be_read(visitors: Callable[..., Visitor], scheme: str, width: int):
    visitor = visitors(color_scheme=scheme, viewport={"width": width, "height": 844})
    visitor.open("/side-by-side/")
    visitor.press("Run all four")
    page = visitor.page
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    levels = page.locator("h1, h2, h3").evaluate_all("all => all.map(h => h.tagName)")
    assert levels == ["H1", "H2", "H2", "H2", "H2"]
    assert page.get_by_role("table", name="A cache that dies").count() == 1
    assert page.get_by_role("columnheader", name="Django", exact=True).count() == 4
    assert page.get_by_role("rowheader", name="Keys kept").count() == 1
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 50
    assert [(text, ratio) for text, ratio in contrasts if ratio < 4.5] == []
