"""A Redis and a PostgreSQL that are killed and started again while visitors come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.cache import caches
from django.db import connections
from django.http import HttpResponse
from django.test import RequestFactory, override_settings
from redis.exceptions import RedisError

from dj_sessions.exceptions import SessionConflict
from dj_sessions.middleware import SessionMiddleware
from dj_sessions.models import Session
from tests import router
from tests.outages.places import FRAGILE, _forget_database, begin_request, fragile_cache
from tests.outages.servers import OwnServer
from tests.patience import PATIENCE, eventually
from tests.stores import in_thread

VISITORS = 4
#: Requests of each visitor that must be answered before the kill, and after the restart.
SOME = 20


class Visitor(threading.Thread):
    """Writes a number after the other into its own key of a session that all of them share."""

    def __init__(self, name: str, key: str, stop: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self.cookie, self.stop = key, stop
        self.acknowledged = self.tried = self.answered = self.failed = 0
        self.wrong: list[str] = []
        self.middleware = SessionMiddleware(self.view)

    def view(self, request: Any) -> HttpResponse:
        found = request.session.get(self.name, 0)
        if not self.acknowledged <= found <= self.tried:
            self.wrong.append(f"read {found}, saved {self.acknowledged} to {self.tried}")
        self.tried += 1
        request.session[self.name] = self.tried
        return HttpResponse()

    def run(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self.stop.is_set() and time.monotonic() < deadline:
            begin_request()
            request = RequestFactory().get("/")
            request.COOKIES["sessionid"] = self.cookie
            try:
                response = self.middleware(request)
            except SessionConflict:  # the others were faster, and nothing was saved
                continue
            except Exception as error:  # noqa: BLE001 - judged by its class
                self.note(error)
                time.sleep(0.02)
            else:
                self.answered += 1
                self.acknowledged = self.tried
                if response.cookies["sessionid"].value != self.cookie:
                    self.wrong.append("another cookie")
        connections.close_all()
        caches.close_all()

    def note(self, error: Exception) -> None:
        self.failed += 1
        if type(error).__name__ not in OUTAGE:
            self.wrong.append(f"{type(error).__name__}: {error}")


#: What an outage is called; anything else that a visitor meets is a finding.
OUTAGE = {
    *("OperationalError", "InterfaceError"),
    *("ConnectionError", "TimeoutError", "BusyLoadingError"),
    # Of a cluster and of Sentinel, until another server is the master.
    *("ClusterDownError", "ClusterError", "RedisClusterException", "SlotNotCoveredError"),
    *("MasterNotFoundError", "MasterDownError", "ReadOnlyError"),
}


@contextmanager
def visiting(key: str, *others: type[Visitor]) -> Iterator[list[Visitor]]:
    """Have visitors of one session come and come again, until the block ends."""
    stop, kinds = threading.Event(), (Visitor, *others)
    visitors = [kinds[n % len(kinds)](f"visitor{n}", key, stop) for n in range(VISITORS)]
    for visitor in visitors:
        visitor.start()
    try:
        yield visitors
    finally:
        stop.set()
        for visitor in visitors:
            visitor.join(PATIENCE)


def under_load(
    server: OwnServer, engine: Any, *others: type[Visitor], restart: bool = True
) -> None:
    """Kill the server between two spells of visits, start it again, and count."""
    session = engine.SessionStore()
    session["colour"] = "green"
    eventually(session.save, RedisError)
    key = session.session_key
    with visiting(key, *others) as visitors:
        wait_for_answers(visitors, SOME)
        server.kill()
        if restart:
            failed = [visitor.failed for visitor in visitors]
            wait_until(lambda: all(v.failed > n for v, n in zip(visitors, failed, strict=True)))
            server.start()
        wait_for_answers(visitors, SOME)
    begin_request()
    found = eventually(
        lambda: in_thread(lambda: dict(engine.SessionStore(key).items())), RedisError
    )
    for visitor in visitors:
        assert visitor.wrong == []
        assert visitor.acknowledged <= found[visitor.name] <= visitor.tried
    assert found["colour"] == "green"


def wait_for_answers(visitors: list[Visitor], count: int) -> None:
    before = [visitor.answered for visitor in visitors]
    wait_until(lambda: all(v.answered >= n + count for v, n in zip(visitors, before, strict=True)))


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "the visitors are not answered any more"
        time.sleep(0.01)


@pytest.mark.parametrize("cache", ["Redis", "django-redis"])
def test_redis_is_killed_under_load(cache, own_server, databases, fresh_caches):
    from dj_sessions.backends import cache as engine

    server = own_server("redis")
    with (
        fragile_cache(cache, server),
        override_settings(SESSION_ENGINE="dj_sessions.backends.cache", SESSION_CACHE_ALIAS=FRAGILE),
    ):
        under_load(server, engine)


@pytest.fixture
def own_postgres(databases: None, own_server: Callable[[str], OwnServer]) -> Iterator[OwnServer]:
    """Our own PostgreSQL as the database FRAGILE, with a table for sessions."""
    server = own_server("postgres")
    connections.settings[FRAGILE] = {
        **connections.settings["default"],
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": server.at.user,
        "HOST": server.at.host,
        "PORT": server.at.port,
        "OPTIONS": {"connect_timeout": PATIENCE},
        "CONN_MAX_AGE": None,
    }
    try:
        with connections[FRAGILE].schema_editor() as editor:
            editor.create_model(Session)
        with router.use(FRAGILE):
            yield server
        connections[FRAGILE].close()  # that of before the kill
        with connections[FRAGILE].schema_editor() as editor:
            editor.delete_model(Session)
    finally:
        _forget_database()


def test_postgres_is_killed_under_load(own_postgres):
    from dj_sessions.backends import db as engine

    with override_settings(SESSION_ENGINE="dj_sessions.backends.db"):
        under_load(own_postgres, engine)


@pytest.mark.parametrize("cache", ["Redis"])
def test_the_cache_of_cached_db_is_killed_under_load(cache, own_postgres, own_server, fresh_caches):
    """Nobody gets an error page, and what was acknowledged is read past the old copies."""
    from dj_sessions.backends import cached_db as engine

    server = own_server("redis")
    with (
        fragile_cache(cache, server) as way,
        override_settings(
            SESSION_ENGINE="dj_sessions.backends.cached_db", SESSION_CACHE_ALIAS=FRAGILE
        ),
    ):
        assert way
        session = engine.SessionStore()
        session.save()
        with visiting(session.session_key) as visitors:
            wait_for_answers(visitors, SOME)
            server.kill()
            wait_for_answers(visitors, SOME)
            server.start()
            wait_for_answers(visitors, SOME)
        begin_request()
        found = in_thread(lambda: dict(engine.SessionStore(session.session_key).items()))
        for visitor in visitors:
            assert (visitor.wrong, visitor.failed) == ([], 0)
            assert found[visitor.name] == visitor.acknowledged
