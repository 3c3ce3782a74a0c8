"""``cached_db`` goes on without its cache, says so once, and makes up for what that missed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from django.core.cache import caches

from dj_sessions.storage.copies import generations
from dj_sessions.storage.copies import outage as outages
from tests.contract.visits import session_cookie, visit
from tests.counters import statements
from tests.outages.failures import FAILURES
from tests.outages.places import (
    CACHES,
    FRAGILE,
    Place,
    asked_once_per_outage,
    begin_request,
)
from tests.outages.test_backoff import Clock
from tests.outages.test_table import DATA, load, stored
from tests.stores import in_thread

#: What another process runs: it reads a session and says what it finds.
READER = """
import os, sys, django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["dj_sessions"], SECRET_KEY=os.environ["KEY"],
    SESSION_ENGINE="dj_sessions.backends.cached_db",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DB"]}},
    CACHES={"default": {"BACKEND": os.environ["BACKEND"], "LOCATION": os.environ["CACHE"]}},
)
django.setup()
from dj_sessions.backends.cached_db import SessionStore
for key in sys.argv[1:]:
    print(SessionStore(key).get("colour"))
"""


@pytest.fixture(params=CACHES)
def cache(request: pytest.FixtureRequest) -> str:
    return request.param


def lines(caplog: Any) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == "django.contrib.sessions"]


def rest() -> None:
    """Wait until a cache that has failed is asked again."""
    time.sleep(2 * outages.LONGEST_REST)


def copy_of(where: Place, key: str) -> Any:
    return caches[FRAGILE].get(where.SessionStore(key).cache_key)


def test_an_outage_is_logged_once_and_so_is_its_end(where, mode, caplog):
    key = in_thread(stored, where)
    where.cache_proxy.cut()
    for _ in range(3):
        begin_request()
        assert visit(mode, lambda s: s.get("colour"), cookie=key).seen == ["green"]
        assert visit(mode, lambda s: s.set("n", 1), cookie=key).status_code == 200
    [line] = lines(caplog)
    assert line.startswith("Error reading from cache")
    where.cache_proxy.restore()
    for _ in range(3):
        begin_request()
        rest()
        visit(mode, lambda s: s.get("colour"), cookie=key)
    _, line = lines(caplog)
    assert line.startswith(f"The cache '{FRAGILE}' answers again; sessions did without it")


def test_an_outage_that_lasts_is_logged_once_per_interval(where, caplog):
    key = in_thread(stored, where)
    where.cache_proxy.cut()
    begin_request()
    clock = Clock()
    with (
        mock.patch.object(outages, "time", clock),
        mock.patch.object(outages, "LOG_INTERVAL", 1),
    ):
        for _ in range(2):
            assert where.SessionStore(key)["colour"] == "green"
            clock.now += 1
    assert len(lines(caplog)) == 2


told: list[tuple[str, float, dict[str, str]]] = []


def note(*value: Any) -> None:
    told.append(value)


def test_an_outage_is_counted_with_its_length_and_what_it_costs(where, settings):
    told.clear()
    settings.SESSION_METRICS = f"{__name__}.note"
    key = in_thread(stored, where)
    where.cache_proxy.cut()
    for number in range(2):
        begin_request()
        session = where.SessionStore(key)
        session["n"] = number
        session.save()
    where.cache_proxy.restore()
    begin_request()
    rest()
    assert where.SessionStore(key)["n"] == 1
    counts = Counter((name, labels.get("outcome", labels["cache"])) for name, labels in of_caches())
    assert counts["dj_sessions.outages", FRAGILE] == 1
    assert counts["dj_sessions.copy.reads", "unavailable"] == 2
    assert counts["dj_sessions.copy.renewals", FRAGILE] == 1
    [length] = [value for name, value, _ in told if name == "dj_sessions.outage.duration"]
    assert 0 < length < 600


def of_caches() -> Iterator[tuple[str, dict[str, str]]]:
    for name, _, labels in told:
        if "cache" in labels:
            yield name, labels


def test_a_login_during_the_outage_is_one_afterwards(where, mode):
    key = in_thread(stored, where)
    where.cache_proxy.cut()
    begin_request()
    login = [lambda s: s.cycle_key(), lambda s: s.set("_auth_user_id", "2")]
    response = visit(mode, *login, cookie=key)
    new = session_cookie(response).value
    assert new != key
    begin_request()
    assert visit(mode, lambda s: s.get("_auth_user_id"), cookie=new).seen == ["2"]
    where.cache_proxy.restore()
    begin_request()
    assert in_thread(load, where, new) == {**DATA, "_auth_user_id": "2"}
    assert in_thread(load, where, key) == {}


def test_a_visitor_who_comes_during_the_outage_has_a_session_afterwards(where, mode):
    where.cache_proxy.cut()
    begin_request()
    response = visit(mode, lambda s: s.set("colour", "blue"))
    where.cache_proxy.restore()
    begin_request()
    assert in_thread(load, where, session_cookie(response).value) == {"colour": "blue"}


def test_another_process_reads_what_happened_during_the_outage(where, cache):
    """The cache comes back with its old content, and the other process asks it first."""
    changed, ended = (in_thread(stored, where) for _ in range(2))
    assert copy_of(where, changed) == copy_of(where, ended) == DATA
    where.cache_proxy.cut()
    begin_request()
    session = where.SessionStore(changed)
    session["colour"] = "red"
    session.save()
    where.SessionStore(ended).flush()
    where.cache_proxy.restore()
    begin_request()
    rest()
    in_thread(load, where, changed)  # whatever this process reads next
    assert read_elsewhere(where, cache, changed, ended) == ["red", "None"]


def read_elsewhere(where: Place, cache: str, *keys: str) -> list[str]:
    from django.conf import settings

    environment = {
        **os.environ,
        "KEY": settings.SECRET_KEY,
        "DB": str(where.database_proxy),
        "BACKEND": CACHES[cache][0],
        "CACHE": caches.settings[FRAGILE]["LOCATION"],
    }
    command = [sys.executable, "-c", READER, *keys]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_no_copy_is_believed_before_what_was_missed_is_made_up_for(where):
    key = in_thread(stored, where)
    where.cache_proxy.cut()
    begin_request()
    where.SessionStore(key).flush()
    where.cache_proxy.restore()
    begin_request()
    assert copy_of(where, key) == DATA  # as old as it was
    assert load(where, key) == {}
    rest()
    assert load(where, key) == {}


def test_after_an_outage_each_session_costs_one_read(where):
    keys = [in_thread(stored, where) for _ in range(6)]
    *ended, alive = keys
    where.cache_proxy.cut()
    begin_request()
    for key in ended:
        where.SessionStore(key).flush()
    where.cache_proxy.restore()
    begin_request()
    rest()
    assert [in_thread(load, where, key) for key in keys] == [{}, {}, {}, {}, {}, DATA]
    with statements() as sent:
        assert in_thread(load, where, alive) == DATA
    assert sent == []


def test_a_process_that_begins_in_an_outage_makes_up_for_what_others_missed(where):
    """It cannot know what those could not tell, who are not there any more."""
    key = in_thread(stored, where)
    where.cache_proxy.cut()
    begin_request()
    where.SessionStore(key).flush()
    generations._known.clear()  # as in a process that was started meanwhile
    outages._outages.clear()
    assert load(where, key) == {}
    where.cache_proxy.restore()
    begin_request()
    rest()
    assert load(where, key) == {}


@pytest.mark.parametrize("cache", ["django-redis"], indirect=True)
def test_a_cache_that_ignores_its_errors_is_made_up_for(where):
    caches.settings[FRAGILE]["OPTIONS"]["IGNORE_EXCEPTIONS"] = True
    keys = [in_thread(stored, where) for _ in range(6)]
    begin_request()
    where.cache_proxy.cut()
    for key in keys:
        where.SessionStore(key).flush()
    where.cache_proxy.restore()
    rest()
    assert [in_thread(load, where, key) for key in keys] == [{}] * len(keys)


def test_a_cache_that_hangs_costs_a_time_limit_now_and_then(where):
    key = in_thread(stored, where)
    begin_request()
    with where.silent_cache(), asked_once_per_outage() as failed:
        for _ in range(20):
            session = where.SessionStore(key)
            session["n"] = session.get("n", 0) + 1
            session.save()
        assert len(failed) == 1  # and not forty times


class Tenant(threading.local):
    """Whose requests this thread serves."""

    name = "public"


TENANT = Tenant()


def key_of_tenant(key: str, prefix: str, version: int) -> str:
    return f"{TENANT.name}:{prefix}:{version}:{key}"


def test_a_tenants_sessions_end_with_its_next_request(where):
    caches.settings[FRAGILE]["KEY_FUNCTION"] = key_of_tenant
    tenants = ("acme", "umbrella")
    keys = [in_thread(as_tenant, name, stored, where) for name in tenants for _ in range(3)]
    owners = [name for name in tenants for _ in range(3)]
    where.cache_proxy.cut()
    begin_request()
    for name, key in zip(owners, keys, strict=True):
        as_tenant(name, where.SessionStore(key).flush)
    where.cache_proxy.restore()
    begin_request()
    rest()
    for name, key in zip(owners, keys, strict=True):
        assert in_thread(as_tenant, name, load, where, key) == {}


def as_tenant(name: str, call: Any, *arguments: Any) -> Any:
    with mock.patch.object(TENANT, "name", name):
        return call(*arguments)


@pytest.mark.parametrize("cache", ["Redis", "django-redis"], indirect=True)
def test_a_full_redis_goes_on_being_read(where, caplog):
    """What it refuses to store it still deletes, so there is nothing to make up for."""
    changed, ended, read = (in_thread(stored, where) for _ in range(3))
    with FAILURES["Redis", "full, evicting nothing"](where):
        for _ in range(3):
            session = where.SessionStore(changed)
            session["n"] = session.get("n", 0) + 1
            session.save()
        where.SessionStore(ended).flush()
        with statements() as sent:
            assert load(where, read) == DATA
        assert sent == []
        assert in_thread(load, where, changed) == {**DATA, "n": 3}
        assert in_thread(load, where, ended) == {}
    [line] = lines(caplog)
    assert line.startswith("Error saving to cache")


@pytest.mark.parametrize("cache", ["Redis"], indirect=True)
def test_a_change_in_a_transaction_during_the_outage_holds(where):
    from django.db import transaction

    key = in_thread(stored, where)
    where.cache_proxy.cut()
    begin_request()
    with transaction.atomic(using=FRAGILE):
        session = where.SessionStore(key)
        session["colour"] = "red"
        session.save()
    where.cache_proxy.restore()
    begin_request()
    assert in_thread(load, where, key)["colour"] == "red"
