"""Connections to Redis: the process keeps a few, and makes more only while it needs them."""

from __future__ import annotations

import copy
import os
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context
from importlib import import_module
from urllib.parse import urlencode

import pytest
import redis
from django.core.cache import caches
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from django.test import override_settings
from redis import Connection
from redis.backoff import NoBackoff
from redis.retry import Retry

from dj_sessions.storage.caches import adapter_of, connections
from dj_sessions.storage.caches.redis_pool import KEPT, SessionPool
from tests.patience import PATIENCE

REQUESTS = 5


@pytest.fixture
def made(monkeypatch):
    """The connections to Redis that are made, as they are."""
    found = []
    connect = Connection._connect

    def noted(self):
        found.append(self)
        return connect(self)

    monkeypatch.setattr(Connection, "_connect", noted)
    monkeypatch.setattr(connections, "_clients", {})
    return found


@pytest.fixture
def pool(store):
    """A pool of a test's own."""
    pool = SessionPool.from_url(caches.settings[store.cache]["LOCATION"])
    yield pool
    pool.disconnect()


@pytest.fixture
def count(admin):
    """How many connections the server has of those with a name."""

    def count(name):
        return sum(client["name"] == name for client in admin.client_list())

    return count


@pytest.fixture
def admin(store):
    """A client of its own on the server."""
    with redis.Redis.from_url(caches.settings[store.cache]["LOCATION"]) as client:
        yield client


def location(store, **options):
    """The address of the server with options for the client."""
    return f"{caches.settings[store.cache]['LOCATION']}?{urlencode(options)}"


@contextmanager
def configured(store, **chosen):
    """The cache with other settings."""
    settings = copy.deepcopy(caches.settings[store.cache]) | chosen
    with override_settings(CACHES={**caches.settings, store.cache: settings}):
        yield


def as_a_request_under_asgi(call):
    """Call in a context of its own, where there is no cache yet."""
    return Context().run(call)


@pytest.mark.stores("cache", cache="redis")
@pytest.mark.parametrize(
    ("engine", "count"), [("dj_sessions", 1), ("django.contrib.sessions", REQUESTS)]
)
def test_requests_under_asgi_share_their_connections(store, made, engine, count):
    SessionStore = import_module(f"{engine}.backends.cache").SessionStore
    for _ in range(REQUESTS):
        as_a_request_under_asgi(lambda: SessionStore("a" * 32).load())
    assert len(made) == count


PARALLEL = 40


def wait_for(condition):
    """Wait until the server has noticed which connections were closed."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.stores("cache", cache=("redis", "django_redis"))
def test_connections_of_many_at_a_time_do_not_stay(store, count):
    name = f"many-{secrets.token_hex(4)}"
    with configured(store, LOCATION=location(store, client_name=name)):
        # Of threads that begin at the same time django-redis gives each a pool of its own.
        assert adapter_of(caches[store.cache]).client.get("unknown") is None
        everybody = threading.Barrier(PARALLEL)

        def command():
            cache = caches.create_connection(store.cache)
            client = adapter_of(cache).client
            pool = client.connection_pool
            connection = pool.get_connection()
            everybody.wait(PATIENCE)
            seen = count(name)
            everybody.wait(PATIENCE)
            pool.release(connection)
            assert client.get("unknown") is None
            return seen

        with ThreadPoolExecutor(PARALLEL) as threads:
            assert [*threads.map(lambda _: command(), range(PARALLEL))] == [PARALLEL] * PARALLEL
        wait_for(lambda: 0 < count(name) <= KEPT)
        kept = count(name)
        for _ in range(3):
            assert adapter_of(caches[store.cache]).client.get("unknown") is None
        assert count(name) == kept


@pytest.mark.stores("cache", cache=("redis", "django_redis"))
def test_a_session_under_parallel_requests_leaves_few_connections(store, count):
    name = f"many-{secrets.token_hex(4)}"
    SessionStore = store.SessionStore
    with configured(store, LOCATION=location(store, client_name=name)):
        session = SessionStore()
        session["colour"] = "green"
        session.create()

        def request(_):
            return Context().run(lambda: SessionStore(session.session_key).get("colour"))

        with ThreadPoolExecutor(100) as threads:
            assert set(threads.map(request, range(300))) == {"green"}
        wait_for(lambda: 0 < count(name) <= KEPT)


@pytest.mark.stores("cache", cache=("redis", "django_redis"))
def test_a_connection_that_the_server_has_closed_is_no_error(store, admin):
    client = adapter_of(caches[store.cache]).client
    for _ in range(3):
        number = client.client_id()
        admin.client_kill_filter(_id=str(number))
        assert client.get("unknown") is None


@pytest.mark.stores("cache", cache=("redis", "django_redis"))
def test_a_connection_is_not_used_in_a_process_that_was_forked_off(store, monkeypatch):
    client = adapter_of(caches[store.cache]).client
    number = client.client_id()
    assert client.client_id() == number
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert client.client_id() != number
    monkeypatch.undo()
    assert client.get("unknown") is None


class TimeLimit(BaseException):
    """What a signal raises wherever the program is."""


@pytest.mark.stores("cache", cache="redis")
@pytest.mark.parametrize("lent", [0, KEPT])
def test_an_answer_that_nobody_waited_for_is_no_answer_to_the_next_command(
    store, pool, monkeypatch, lent
):
    client = redis.Redis(connection_pool=pool)
    _others = [pool.get_connection() for _ in range(lent)]
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(client, "parse_response", raise_time_limit)
            with pytest.raises(TimeLimit):
                client.blpop("nothing", 0.1)  # answers later
        assert client.echo("own") == b"own"


def raise_time_limit(*arguments, **options):
    raise TimeLimit


@pytest.mark.stores("cache", cache="redis")
@pytest.mark.parametrize("name", ["connect", "read_response", "can_read"])
def test_a_time_limit_costs_the_pool_no_connection(store, pool, count, monkeypatch, name):
    pool.connection_kwargs["client_name"] = mine = f"limit-{secrets.token_hex(4)}"
    client = redis.Redis(connection_pool=pool)
    for _ in range(KEPT + 2):
        with monkeypatch.context() as patch:
            patch.setattr(Connection, name, raise_time_limit)
            with pytest.raises(TimeLimit):
                client.get("unknown")
        assert client.echo("own") == b"own"
    number = client.client_id()
    assert client.client_id() == number
    assert count(mine) == 1


@pytest.mark.stores("cache", cache="redis")
def test_a_connection_that_was_not_greeted_to_the_end_is_not_used(pool, made, monkeypatch):
    client = redis.Redis(connection_pool=pool)
    with monkeypatch.context() as patch:
        patch.setattr(Connection, "read_response", raise_time_limit)
        with pytest.raises(TimeLimit):
            client.get("unknown")
    assert len(made) == 1
    assert client.echo("own") == b"own"
    assert len(made) == 2


@pytest.mark.stores("cache", cache="redis")
def test_a_connection_is_kept_while_an_older_error_is_handled(store, pool):
    client = redis.Redis(connection_pool=pool)
    try:
        raise LookupError
    except LookupError:
        number = client.client_id()
        assert client.client_id() == number
    assert client.client_id() == number


class OwnPools(RedisCacheClient):
    """A client that finds its pools in a way of its own."""

    def _get_connection_pool(self, write):
        return super()._get_connection_pool(write)


class OwnClient(RedisCache):
    """A cache with such a client."""

    def __init__(self, server, params):
        super().__init__(server, params)
        self._class = OwnPools


class OwnRetries(RedisCache):
    """A cache with an option that is made anew for each of its objects."""

    def __init__(self, server, params):
        super().__init__(server, params)
        self._options = {**self._options, "retry": Retry(NoBackoff(), 1)}


@pytest.mark.stores("cache", cache="redis")
@pytest.mark.parametrize(
    "chosen",
    [
        {"OPTIONS": {"max_connections": 1}},
        {"OPTIONS": {"pool_class": "redis.BlockingConnectionPool"}},
        {"BACKEND": f"{__name__}.OwnClient"},
        {"BACKEND": f"{__name__}.OwnRetries"},
    ],
)
def test_a_site_that_has_chosen_its_connections_has_them(store, chosen):
    with configured(store, **chosen):
        cache = caches[store.cache]
        client = adapter_of(cache).client
        assert client.connection_pool is cache._cache._get_connection_pool(write=True)
        for _ in range(3):
            assert client.get("unknown") is None
            assert cache.get("unknown") is None


@pytest.mark.stores("cache", cache="django_redis")
@pytest.mark.parametrize(
    "options",
    [
        {"CONNECTION_POOL_KWARGS": {"max_connections": 2}},
        {"CONNECTION_POOL_CLASS": "redis.BlockingConnectionPool"},
        {"CONNECTION_POOL_CLASS": f"{__name__}.LendingPool"},
    ],
)
def test_who_has_chosen_the_pool_of_django_redis_has_it(store, options):
    # Its pools go by the address.
    there = location(store, client_name=f"own-{secrets.token_hex(4)}")
    with configured(store, LOCATION=there, OPTIONS=options):
        cache = caches[store.cache]
        client = adapter_of(cache).client
        assert client is cache.client.get_client(write=True)
        assert client.get("unknown") is None


class LendingPool(redis.ConnectionPool):
    """A pool that has something to do for each connection that it lends."""
