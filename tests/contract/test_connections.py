"""Connections to Redis: the process keeps them, and looks at them no oftener than it must."""

from __future__ import annotations

import copy
from contextvars import Context
from importlib import import_module
from types import SimpleNamespace

import pytest
import redis
from django.core.cache import caches
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from django.test import override_settings
from redis import BlockingConnectionPool, Connection, ConnectionPool
from redis.backoff import NoBackoff
from redis.retry import Retry

from dj_sessions.storage.caches import adapter_of, connections

REQUESTS = 5


@pytest.fixture
def made(monkeypatch):
    """The connections to Redis that are made, as they are."""
    connections = []
    connect = Connection._connect

    def noted(self):
        connections.append(self)
        return connect(self)

    monkeypatch.setattr(Connection, "_connect", noted)
    monkeypatch.setattr(connections, "_clients", {})
    return connections


@pytest.fixture
def admin(store):
    """A client of its own on the server."""
    with redis.Redis.from_url(caches.settings[store.cache]["LOCATION"]) as client:
        yield client


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


@pytest.mark.stores("cache", cache=("redis", "django_redis"))
def test_a_connection_that_the_server_has_closed_is_no_error(store, admin):
    client = adapter_of(caches[store.cache]).client
    for _ in range(3):
        number = client.client_id()
        assert client.connection_pool._used  # it lies there, to be used as it is
        admin.client_kill_filter(_id=str(number))
        assert client.get("unknown") is None


@pytest.mark.stores("cache", cache=("redis", "django_redis"))
def test_a_connection_is_not_used_in_a_process_that_was_forked_off(store):
    client = adapter_of(caches[store.cache]).client
    client.get("unknown")
    connection = client.connection_pool._used[-1]
    connection.pid -= 1
    client.get("unknown")
    assert client.connection_pool._used[-1] is not connection


@pytest.mark.stores("cache", cache=("redis", "django_redis"))
def test_the_pool_is_asked_for_a_connection_once(store, monkeypatch):
    client = adapter_of(caches[store.cache]).client
    client.get("unknown")
    pool = client.connection_pool._pool
    monkeypatch.setattr(pool, "get_connection", lambda *rest: pytest.fail("asked again"))
    assert client.get("unknown") is None


class TimeLimit(BaseException):
    """What a signal raises wherever the program is."""


@pytest.mark.stores("cache", cache=("redis", "django_redis"))
def test_an_answer_that_nobody_waited_for_is_no_answer_to_the_next_command(store, monkeypatch):
    client = adapter_of(caches[store.cache]).client
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(client, "parse_response", raise_time_limit)
            with pytest.raises(TimeLimit):
                client.blpop("nothing", 0.1)  # answers later
        assert client.echo("own") == b"own"


def raise_time_limit(*arguments, **options):
    raise TimeLimit


@pytest.mark.stores("cache", cache=("redis", "django_redis"))
@pytest.mark.parametrize("where", ["_connections._is_open", "Connection.should_reconnect"])
def test_a_time_limit_costs_the_pool_no_connection(store, monkeypatch, where):
    client = adapter_of(caches[store.cache]).client
    pool = client.connection_pool
    assert client.echo("own") == b"own"
    lent = len(pool._in_use_connections)  # with the one that lies there
    holder, name = where.split(".")
    with monkeypatch.context() as patch:
        patch.setattr(globals()[holder], name, raise_time_limit)
        with pytest.raises(TimeLimit):
            client.get("unknown")
    assert len(pool._in_use_connections) < lent
    assert client.echo("own") == b"own"


@pytest.mark.stores("cache", cache=("redis", "django_redis"))
def test_a_connection_that_was_not_greeted_to_the_end_is_not_used(store, monkeypatch):
    client = adapter_of(caches[store.cache]).client
    client.connection_pool.disconnect()
    with monkeypatch.context() as patch:
        patch.setattr(Connection, "read_response", raise_time_limit)
        with pytest.raises(TimeLimit):
            client.get("unknown")
    assert not any(other._sock for other in client.connection_pool._available_connections)
    assert client.echo("own") == b"own"


@pytest.mark.stores("cache", cache=("redis", "django_redis"))
def test_a_connection_is_kept_while_an_older_error_is_handled(store):
    client = adapter_of(caches[store.cache]).client
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
    settings = copy.deepcopy(caches.settings[store.cache]) | chosen
    with override_settings(CACHES={**caches.settings, store.cache: settings}):
        cache = caches[store.cache]
        client = adapter_of(cache).client
        assert client.connection_pool is cache._cache._get_connection_pool(write=True)
        for _ in range(3):
            assert client.get("unknown") is None
            assert cache.get("unknown") is None


@pytest.mark.stores("cache", cache="django_redis")
@pytest.mark.parametrize("most", [1, 2, 99])
def test_who_has_counted_the_connections_has_them_all(store, most):
    pool = ConnectionPool.from_url(caches.settings[store.cache]["LOCATION"], max_connections=most)
    bare = redis.Redis(connection_pool=pool)
    for _ in range(2):  # under ASGI each request has an adapter of its own
        client = connections.quick_client(bare)
        assert client.get("unknown") is None
        lent = [pool.get_connection() for _ in range(most)]
        for connection in lent:
            pool.release(connection)
    pool.disconnect()


class LendingPool(ConnectionPool):
    """A pool that has something to do for each connection that it lends."""

    def get_connection(self, *arguments, **options):
        return super().get_connection(*arguments, **options)


class OtherPool:
    """None of redis-py's."""


@pytest.mark.parametrize(
    "pool", [LendingPool(), BlockingConnectionPool(), OtherPool()], ids=lambda pool: type(pool)
)
def test_a_pool_with_a_way_of_its_own_is_asked_each_time(pool):
    client = SimpleNamespace(connection_pool=pool)
    assert connections.quick_client(client) is client
