"""What the counters say of a store that fails is what has happened to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.cache import caches
from django.db import connections

from dj_sessions.storage.copies import outage as outages
from tests.contract.visits import visit
from tests.metrics.told import Told, telling
from tests.outages.failures import FAILURES
from tests.outages.places import FRAGILE, Place, begin_request, place
from tests.outages.test_table import stored
from tests.patience import PATIENCE
from tests.stores import in_thread

CACHED = pytest.mark.parametrize("cache", ["Redis", "django-redis", "Memcached"])
#: Where everything that fails fails at once.
REDIS = pytest.mark.parametrize("cache", ["Redis"])


@pytest.fixture
def seen() -> Iterator[Told]:
    with telling() as told:
        yield told


def read(mode: Any, key: str) -> None:
    begin_request()
    assert visit(mode, lambda session: session.get("colour"), cookie=key).seen == ["green"]


def change(mode: Any, key: str) -> None:
    begin_request()
    assert visit(mode, lambda session: session.set("n", 1), cookie=key).status_code == 200


def visit_until_it_answers(mode: Any, key: str, seen: Told) -> None:
    while not seen.all("outage.duration"):
        time.sleep(outages.LONGEST_REST)  # it is left alone for that long
        read(mode, key)


@CACHED
def test_an_outage_is_counted_once_with_its_length(where, mode, seen):
    key = in_thread(stored, where)
    where.cache_proxy.cut()
    began = time.monotonic()
    read(mode, key)
    met = time.monotonic()
    for _ in range(5):
        read(mode, key)
        change(mode, key)
    assert seen.counts("outages", "cache") == {FRAGILE: 1}
    assert not seen.all("outage.duration")
    restored = time.monotonic()
    where.cache_proxy.restore()
    visit_until_it_answers(mode, key, seen)
    over = time.monotonic()
    for _ in range(5):
        read(mode, key)
    [outage], [length] = seen.all("outages"), seen.all("outage.duration")
    assert began <= outage.at <= met
    # Noted a moment after it began, and after it was over.
    assert restored - outage.at <= length.value <= length.at - began
    assert length.at <= over
    assert length.attributes == {"cache": FRAGILE}


@CACHED
def test_reads_without_the_cache_are_counted_and_what_it_missed_is_renewed_once(where, mode, seen):
    key = in_thread(stored, where)
    read(mode, key)
    assert seen.counts("copy.reads", "outcome") == {"hit": 1}
    where.cache_proxy.cut()
    seen.clear()
    for _ in range(5):
        read(mode, key)
    assert seen.counts("copy.reads", "cache", "outcome") == {f"{FRAGILE} unavailable": 5}
    change(mode, key)
    assert seen.counts("copy.reads", "outcome") == {"unavailable": 6}
    assert not seen.all("copy.renewals")
    where.cache_proxy.restore()
    visit_until_it_answers(mode, key, seen)
    seen.clear()
    read(mode, key)
    read(mode, key)
    assert seen.counts("copy.reads", "outcome")["hit"] >= 1
    assert "unavailable" not in seen.counts("copy.reads", "outcome")


@CACHED
def test_a_change_that_the_cache_has_missed_makes_all_copies_anew_once(where, mode, seen):
    key, other = in_thread(stored, where), in_thread(stored, where)
    where.cache_proxy.cut()
    change(mode, key)
    where.cache_proxy.restore()
    visit_until_it_answers(mode, key, seen)
    assert seen.counts("copy.renewals", "cache") == {FRAGILE: 1}
    seen.clear()
    read(mode, other)
    read(mode, other)
    assert seen.counts("copy.reads", "outcome") in ({"stale": 1, "hit": 1}, {"miss": 1, "hit": 1})
    assert not seen.all("copy.renewals")


@contextmanager
def readers(where: Place, key: str, count: int) -> Iterator[list[threading.Thread]]:
    """Threads that read a session until the block ends; none may meet an error."""
    stop, errors = threading.Event(), list[BaseException]()

    def read() -> None:
        try:
            while not stop.is_set():
                begin_request()
                assert where.SessionStore(key)["colour"] == "green"
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)
        finally:
            connections.close_all()
            caches.close_all()

    threads = [threading.Thread(target=read, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert errors == []


def wait_for(is_so: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@REDIS
def test_many_threads_count_one_outage_of_a_server_that_is_killed(where, seen):
    key = in_thread(stored, where)
    for number in (1, 2, 3):
        with readers(where, key, 8):
            seen.clear()
            wait_for(lambda: seen.counts("copy.reads", "outcome").get("hit", 0) > 50)
            began = time.monotonic()
            where.cache_server.kill()
            wait_for(lambda: seen.counts("copy.reads", "outcome").get("unavailable", 0) > 50)
            restarted = time.monotonic()
            where.cache_server.start()
            wait_for(lambda: seen.all("outage.duration"))
            over = time.monotonic()
            wait_for(lambda: seen.all("copy.reads")[-1].attributes["outcome"] == "hit")
        assert seen.counts("outages") == {"": 1}, number
        [outage], [length] = seen.all("outages"), seen.all("outage.duration")
        assert restarted - outage.at <= length.value <= over - began


@REDIS
def test_a_full_redis_is_no_outage_but_has_no_copy_of_what_changes(where, mode, seen):
    """It deletes what it cannot replace, and goes on being read."""
    key, other = in_thread(stored, where), in_thread(stored, where)
    seen.clear()
    with FAILURES["Redis", "full, evicting nothing"](where):
        change(mode, key)
        assert seen.counts("copy.reads", "outcome") == {"hit": 1}
        for _ in range(3):
            change(mode, key)
        assert seen.counts("copy.reads", "outcome") == {"hit": 1, "miss": 3}
        for _ in range(3):
            read(mode, other)
        assert seen.counts("copy.reads", "outcome") == {"hit": 4, "miss": 3}
    assert not seen.all("outages")
    assert not seen.all("copy.renewals")


@REDIS
def test_a_cache_that_neither_takes_nor_deletes_anything_is_an_outage(where, mode, seen):
    key = in_thread(stored, where)
    seen.clear()
    with FAILURES["Redis", "read-only"](where):
        change(mode, key)
        for _ in range(3):
            read(mode, key)
        assert seen.counts("outages") == {"": 1}
        assert seen.counts("copy.reads", "outcome") == {"hit": 1, "unavailable": 3}
    visit_until_it_answers(mode, key, seen)
    assert seen.counts("outages") == seen.counts("copy.renewals") == {"": 1}
    assert len(seen.all("outage.duration")) == 1


FAILING = {
    "redis": ("redis", {}, {"ConnectionError", "TimeoutError"}),
    "db": ("db", {"database": "PostgreSQL"}, {"OperationalError", "InterfaceError"}),
}


@pytest.mark.parametrize(("engine", "stores", "errors"), FAILING.values(), ids=FAILING)
def test_what_a_store_fails_at_is_counted_by_operation_and_error(
    engine, stores, errors, databases, fresh_caches, own_server, tmp_path, mode, seen
):
    server = own_server("redis") if engine == "redis" else None
    with place(engine, tmp_path, **stores, cache_server=server) as where:
        store = where.SessionStore
        way = where.cache_proxy or where.database_proxy
        session = mode.wrap(store())
        session.set("colour", "green")
        session.save()
        key = session.session_key
        loaded = [mode.wrap(store(key)) for _ in range(3)]
        for each in loaded:
            each.get("colour")
        way.cut()
        deeds = {
            "read": lambda: mode.wrap(store(key)).get("colour"),
            "insert": lambda: mode.wrap(store()).create(),
            "replace": lambda: (loaded[0].set("colour", "red"), loaded[0].save()),
            "remove": lambda: loaded[1].flush(),
            "holds": lambda: mode.wrap(store()).exists(key),
        }
        seen.clear()
        for deed in deeds.values():
            begin_request()
            with pytest.raises(Exception) as raised:  # noqa: PT011 - its class is looked at
                deed()
            assert type(raised.value).__name__ in errors
        way.restore()
    assert seen.counts("storage.errors", "operation") == dict.fromkeys(deeds, 1)
    assert set(seen.counts("storage.errors", "engine")) == {engine}
    assert set(seen.counts("storage.errors", "error.type")) <= errors
    assert sorted(seen.operations()) == sorted(deeds)
    assert not seen.all("saves")
