"""``cached_db`` goes on without its cache, says so once, and tells the cache what it missed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import pytest
from django.core.cache import caches

from dj_sessions.storage.copies import outage as outages
from tests.contract.visits import session_cookie, visit
from tests.outages.places import CACHES, FRAGILE, Place, begin_request, place
from tests.outages.servers import OwnServer
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


@pytest.fixture
def where(
    cache: str,
    databases: None,
    fresh_caches: str,
    own_server: Callable[[str], OwnServer],
    tmp_path: Any,
) -> Iterator[Place]:
    server = own_server("memcached" if cache == "Memcached" else "redis")
    with place("cached_db", tmp_path, database="SQLite", cache=cache, cache_server=server) as made:
        yield made


@pytest.fixture
def nobody_tells() -> Iterator[None]:
    """Leave it to the test to tell the cache."""
    with mock.patch.object(outages.Outage, "_keep_telling"):
        yield


def lines(caplog: Any) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == "django.contrib.sessions"]


def message(name: str, tell: Any, **kind: Any) -> outages.Message:
    return outages.Message(name, tell, "all", tell, **kind)


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
        visit(mode, lambda s: s.get("colour"), cookie=key)
    _, line = lines(caplog)
    assert line.startswith(f"The cache '{FRAGILE}' answers again; sessions did without it")


def test_an_outage_that_lasts_is_logged_once_per_interval(where, caplog):
    key = in_thread(stored, where)
    where.cache_proxy.cut()
    begin_request()
    with mock.patch.object(outages, "LOG_INTERVAL", 0):  # it is over each time
        for _ in range(2):
            assert where.SessionStore(key)["colour"] == "green"
    assert len(lines(caplog)) == 2


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
    assert outages.of(FRAGILE).tell()
    assert copy_of(where, ended) is None
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


def test_the_cache_is_told_before_any_copy_is_believed(where, nobody_tells):
    key = in_thread(stored, where)
    where.cache_proxy.cut()
    begin_request()
    where.SessionStore(key).flush()
    where.cache_proxy.restore()
    begin_request()
    assert copy_of(where, key) == DATA  # as old as it was
    assert load(where, key) == {}
    assert copy_of(where, key) is None


def test_the_cache_is_told_even_if_no_request_comes(where):
    key = in_thread(stored, where)
    where.cache_proxy.cut()
    begin_request()
    where.SessionStore(key).flush()
    teller = outages.of(FRAGILE)._teller
    where.cache_proxy.restore()
    teller.join(timeout=10)
    assert not teller.is_alive()
    begin_request()
    assert copy_of(where, key) is None


def test_after_many_changes_no_copy_counts(where, nobody_tells):
    keys = [in_thread(stored, where) for _ in range(6)]
    *ended, alive = keys
    where.cache_proxy.cut()
    begin_request()
    with mock.patch.object(outages, "MOST_PENDING", 3):
        for key in ended:
            where.SessionStore(key).flush()
    where.cache_proxy.restore()
    begin_request()
    assert outages.of(FRAGILE).tell()
    assert [in_thread(load, where, key) for key in keys] == [{}, {}, {}, {}, {}, DATA]
    names = where.SessionStore(alive)._copies
    assert names.look(where.SessionStore(alive).cache_key).raw is not None  # copied anew


@pytest.mark.parametrize("cache", ["django-redis"], indirect=True)
def test_a_cache_that_ignores_its_errors_is_told_after_many_changes(where, nobody_tells):
    caches.settings[FRAGILE]["OPTIONS"]["IGNORE_EXCEPTIONS"] = True
    keys = [in_thread(stored, where) for _ in range(6)]
    begin_request()
    where.cache_proxy.cut()
    with mock.patch.object(outages, "MOST_PENDING", 3):
        for key in keys:
            where.SessionStore(key).flush()
    assert not in_thread(outages.of(FRAGILE).tell)
    where.cache_proxy.restore()
    assert in_thread(outages.of(FRAGILE).tell)
    assert [in_thread(load, where, key) for key in keys] == [{}] * len(keys)


class Tenant(threading.local):
    """Whose requests this thread serves."""

    name = "public"


TENANT = Tenant()


def key_of_tenant(key: str, prefix: str, version: int) -> str:
    return f"{TENANT.name}:{prefix}:{version}:{key}"


@pytest.mark.parametrize("most", [3, 100])
def test_a_tenants_sessions_end_whoever_tells_the_cache(where, nobody_tells, most):
    caches.settings[FRAGILE]["KEY_FUNCTION"] = key_of_tenant
    tenants = ("acme", "umbrella")
    keys = [in_thread(as_tenant, name, stored, where) for name in tenants for _ in range(3)]
    owners = [name for name in tenants for _ in range(3)]
    where.cache_proxy.cut()
    begin_request()
    with mock.patch.object(outages, "MOST_PENDING", most):
        for name, key in zip(owners, keys, strict=True):
            as_tenant(name, where.SessionStore(key).flush)
    where.cache_proxy.restore()
    begin_request()
    assert outages.of(FRAGILE).tell()
    for name, key in zip(owners, keys, strict=True):
        assert in_thread(as_tenant, name, load, where, key) == {}


def as_tenant(name: str, call: Any, *arguments: Any) -> Any:
    with mock.patch.object(TENANT, "name", name):
        return call(*arguments)


@pytest.mark.parametrize("cache", ["Redis"], indirect=True)
def test_no_request_waits_while_the_cache_is_told(where, nobody_tells):
    """To tell it takes as long as its client waits."""
    outage = outages.of(FRAGILE)
    begun, may_end = threading.Event(), threading.Event()

    def told_slowly(cache: Any) -> None:
        begun.set()
        may_end.wait(10)

    key = in_thread(stored, where)
    outage.tell_later(message("other", told_slowly))
    with ThreadPoolExecutor(1) as teller:
        telling = teller.submit(outage.tell)
        begun.wait(10)
        where.cache_proxy.cut()
        begin_request()
        try:
            assert in_thread(load, where, key) == DATA
            in_thread(lambda: where.SessionStore(key).flush())
            assert not telling.done()
        finally:
            may_end.set()
            where.cache_proxy.restore()
    begin_request()
    assert outage.tell()
    assert in_thread(load, where, key) == {}


@pytest.mark.parametrize("cache", ["Redis"], indirect=True)
def test_a_message_that_replaces_one_that_is_being_told_is_told_too(where, nobody_tells):
    outage, told = outages.of(FRAGILE), []

    def first(cache: Any) -> None:
        told.append("first")
        outage.tell_later(message("name", lambda cache: told.append("second")))

    outage.tell_later(message("name", first))
    assert outage.tell()
    assert outage.is_behind("name")
    assert outage.tell()
    assert not outage.is_behind("name")
    assert told == ["first", "second"]


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
