"""The page `expiry` says what a session costs, and when it ends."""

import re
from types import SimpleNamespace

import pytest
from django.test import override_settings

from dj_sessions.backends.base import Remaining
from dj_sessions.backends.db import SessionStore
from tests.counters import statements
from tests.docs.pages import ROOT, docs, page
from tests.docs.urls import urls

PAGE = docs("expiry")
ROWS = re.findall(r"^\| (?:`(\w+) = (.+?)`|without limits) \| (\d+) \| (\d+) \|$", PAGE.text, re.M)


# In one mode, as tests/contract/test_limits.py has both renew alike.
@pytest.mark.modes("sync")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0] or "none")
@pytest.mark.parametrize(("column", "times"), [(2, range(10, 3610, 10)), (3, range(1, 1001))])
def test_use_costs_what_the_table_says(
    row, column, times, mode, databases, clock, example, no_limits
):
    assert len(ROWS) == 3
    name, value = row[:2]
    settings = {name: eval(value)} if name else {}
    session = SessionStore()
    with override_settings(**settings, ROOT_URLCONF=urls(example("expiry", "shop.views").cart)):
        session["colour"] = "green"
        session.save()
        client = mode.client()
        client.raw.cookies["sessionid"] = session.session_key
        cookies, saves = 0, 0
        for at in times:
            clock.move(at)
            with statements() as sent:
                response = client.get("/")
            cookies += "sessionid" in response.cookies
            saves += any(each.startswith("UPDATE") for each in sent)
    assert saves == cookies == int(row[column])


def test_the_other_pages_have_the_same_figures():
    saves = {name: count for name, _, count, _ in ROWS}
    ours, django = saves["SESSION_IDLE_AGE"], saves["SESSION_SAVE_EVERY_REQUEST"]
    texts = [" ".join(text.split()) for text in (page(ROOT / "README.md").text, docs("why").text)]
    assert f"costs {ours} saves; with Django's `SESSION_SAVE_EVERY_REQUEST` {django}" in texts[0]
    assert f"costs {ours} saves instead of {django}" in texts[1]


def test_the_views_tell_how_long_it_lasts_and_do_not_renew(
    databases, mode, clock, example, no_limits
):
    news, cart = example("expiry", "shop.news").news, example("expiry", "shop.views").cart
    with override_settings(SESSION_IDLE_AGE=900, ROOT_URLCONF=urls(news, cart)):
        session = SessionStore()
        session["unread"] = 3
        session.save()
        client = mode.client()
        client.raw.cookies["sessionid"] = session.session_key
        clock.move(600)
        response = client.get("/news/")
        assert response.json() == {"unread": 3}
        assert "sessionid" not in response.cookies
        assert client.get("/cart/").json() == {"items": [], "seconds left": 300}
        assert SessionStore(session.session_key).get_remaining() == Remaining(900, None)


@pytest.mark.modes("sync")
def test_staff_who_do_nothing_are_out_earlier(databases, mode, clock, example, no_limits):
    staff, cart = example("expiry", "shop.staff"), example("expiry", "shop.views").cart
    for is_staff, ends in [(True, 300), (False, 900)]:
        with override_settings(SESSION_IDLE_AGE=900, ROOT_URLCONF=urls(cart)):
            session = SessionStore()
            user, request = SimpleNamespace(is_staff=is_staff), SimpleNamespace(session=session)
            staff.end_earlier(None, request, user)
            session["items"] = ["tea"]
            session.save()
            client = mode.client()
            client.raw.cookies["sessionid"] = session.session_key
            clock.move(ends - 10)
            assert client.get("/cart/").json() == {"items": ["tea"], "seconds left": 10}
            clock.move(2 * ends - 20)
            assert client.get("/cart/").json()["items"] == ["tea"]
            clock.move(3 * ends)
            assert client.get("/cart/").json()["items"] == []
            clock.move(0)
