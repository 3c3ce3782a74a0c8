"""`docs/choosing.md`: the steps of a move, the old package's keys, the table in partitions."""

from __future__ import annotations

import importlib.util
import io
import sys
from importlib import import_module
from itertools import chain
from unittest import mock

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connections
from django.test import override_settings
from django.utils import timezone

from dj_sessions import checks
from dj_sessions.backends import db
from dj_sessions.management.commands.movesessions import SKIPPED, STUCK
from dj_sessions.models import Session
from dj_sessions.storage.moving import Carried
from tests import redis_servers, router, services
from tests.docs.pages import Fence, docs

PAGE = docs("choosing")
DIFFS = PAGE.all("diff")


def stepped(text, diff):
    """Return settings after a change."""
    lines = diff.text.splitlines(keepends=True)
    before, after = (
        "".join(line[1:] for line in lines if line[0] in signs) for signs in (" -", " +")
    )
    assert before in text, diff.place
    return text.replace(before, after)


@pytest.fixture
def steps(cache_prefixes, databases):
    """The settings of each step, in the Redis of the tests."""
    place = {"URL": redis_servers.needed(redis_servers.plain), "PREFIX": f"{next(cache_prefixes)}:"}
    text, found = 'SESSION_ENGINE = "dj_sessions.backends.db"\n', []
    for diff in (None, *DIFFS):
        text = stepped(text, diff) if diff else text
        chosen = Fence("docs/choosing.md", "python", text).settings()
        found.append(chosen | ({"SESSION_REDIS": place} if "SESSION_REDIS" in chosen else {}))
    return found


def store():
    from django.conf import settings

    return import_module(settings.SESSION_ENGINE).SessionStore


def test_the_steps_log_nobody_out(steps):
    visited, forgotten = [], None
    for number, chosen in enumerate(steps):
        with override_settings(**chosen):
            said = [message.id for message in run_checks(tags=[checks.TAG])]
            assert set(said) <= {"dj_sessions.I044"}, number
            session = store()()
            session["step"] = number
            session.create()
            visited.append(session.session_key)
            forgotten = forgotten or _another()
            if number == 2:
                call_command("movesessions", stdout=io.StringIO())
                call_command("movesessions", dry_run=True, stdout=(out := io.StringIO()))
                assert out.getvalue() == "Would move 0 sessions.\n"
            for step, key in enumerate(visited):
                session = store()(key)
                assert session["step"] == step
                session["seen"] = number
                session.save()
            assert store()(forgotten)["colour"] == "green"
    assert steps[-1]["SESSION_ENGINE"] == "dj_sessions.backends.redis"
    assert "SESSION_MOVE" not in steps[-1]


def _another():
    session = store()()
    session["colour"] = "green"
    session.create()
    return session.session_key


def test_the_page_says_all_that_can_become_of_a_session():
    text = PAGE.sections["The command"].text
    for one, several in SKIPPED.values():
        assert f"| {several} |" in text, one
    for reason in STUCK.values():
        assert f"| {reason.replace('TO', '`TO`')} |" in text
    assert {*SKIPPED, *STUCK, "moved"} == set(Carried)


@pytest.fixture
def old_store(cache_prefixes):
    """What makes the store of that package, as its settings say, under a prefix."""
    pytest.importorskip("redis", reason="redis-py is missing")
    found = importlib.util.find_spec("redis_sessions")
    if found is None:
        pytest.skip("django-redis-sessions is missing: pip install -e '.[test]'")
    url = redis_servers.needed(redis_servers.plain)
    made = next(cache_prefixes)

    def make(prefix):
        wanted = {"url": url, "prefix": made if prefix else "", "socket_timeout": 20}
        with override_settings(SESSION_REDIS=wanted):  # which it reads when it is imported
            return url, wanted["prefix"], import_module("redis_sessions.session").SessionStore

    yield make
    for name in [name for name in sys.modules if name.partition(".")[0] == "redis_sessions"]:
        del sys.modules[name]


@pytest.mark.filterwarnings("ignore:Call to deprecated setex")
@pytest.mark.parametrize("has_prefix", [True, False])
def test_sessions_of_django_redis_sessions_move(
    example, databases, old_store, has_prefix, monkeypatch
):
    """The very package writes them, and reads what is written for it."""
    url, prefix, old = old_store(has_prefix)
    ours = example("choosing", "shop.old_sessions")
    monkeypatch.setattr(ours, "URL", url)
    monkeypatch.setattr(ours, "PREFIX", prefix)
    session = old()
    session["colour"] = "green"
    session.set_expiry(5000)
    session.save()
    key = session.session_key
    read = ours.SessionStore(key)
    assert dict(read.items()) == {"colour": "green", "_session_expiry": 5000}
    read["size"] = 3
    read.save()
    assert old(key)["size"] == 3
    move = {"FROM": "shop.old_sessions", "TO": "dj_sessions.backends.db"}
    with override_settings(SESSION_ENGINE="dj_sessions.backends.moving", SESSION_MOVE=move):
        if has_prefix:  # else whatever is in that Redis and looks like a key would move
            call_command("movesessions", stdout=(out := io.StringIO()))
            assert out.getvalue() == "Moved 1 session.\n"
        else:
            assert import_module("dj_sessions.backends.moving").SessionStore(key)["size"] == 3
            ours.SessionStore(key).delete()
    if has_prefix:
        moved = Session.objects.get(pk=key)
        assert moved.get_decoded()["size"] == 3
        assert abs((moved.expire_date - timezone.now()).total_seconds() - 5000) < 60
        assert not old(key).exists(key)


def test_the_table_in_partitions_keeps_sessions(example, open_database):
    if "postgres" not in connections:
        pytest.skip(str(services.run().services["postgres"]))
    module = example("choosing", "shop.partitions")
    connection = connections["postgres"]
    with open_database("postgres"), router.use("postgres"), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_session RENAME TO as_it_was")
        try:
            with mock.patch.object(module, "connection", connection):
                module.make_table("django_session", partitions=4)
            session = db.SessionStore()
            session["colour"] = "green"
            session.save()
            session.cycle_key()
            session["size"] = 3
            session.save()
            assert dict(db.SessionStore(session.session_key).items()) == dict(session.items())
            assert list(chain(*session._storage.names(1))) == [session.session_key]
            session.set_expiry(-1)
            session.save()
            call_command("clearsessions", stdout=(out := io.StringIO()))
            assert out.getvalue() == "Removed 1 expired session.\n"
        finally:
            cursor.execute("DROP TABLE django_session")
            cursor.execute("ALTER TABLE as_it_was RENAME TO django_session")
