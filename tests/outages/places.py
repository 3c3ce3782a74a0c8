"""Stores that a test may make fail: the same servers as everywhere, reached through a proxy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

from django.conf import settings
from django.core.cache import caches, close_caches
from django.db import close_old_connections, connections
from django.test import override_settings

from dj_sessions.storage.copies import generations
from dj_sessions.storage.copies import outage as outages
from tests import router
from tests.browser import needs
from tests.outages.disks import small_disk
from tests.outages.servers import OwnServer, Proxy
from tests.patience import PATIENCE

#: The alias of the database, and of the cache, that may fail.
FRAGILE = "fragile"

REDIS = "django.core.cache.backends.redis.RedisCache"
DJANGO_REDIS = "django_redis.cache.RedisCache"
MEMCACHED = "django.core.cache.backends.memcached.PyMemcacheCache"
CACHES = {
    "Redis": (REDIS, {"socket_timeout": PATIENCE}),
    "django-redis": (DJANGO_REDIS, {"SOCKET_TIMEOUT": PATIENCE}),
    "Memcached": (MEMCACHED, {"timeout": PATIENCE}),
}
DATABASES: dict[str, tuple[str, dict[str, Any]]] = {
    "PostgreSQL": (
        "postgres",
        {"options": "-c lock_timeout=100"},
    ),
    "MariaDB": (
        "mariadb",
        {
            "connect_timeout": PATIENCE,
            "init_command": "SET SESSION innodb_lock_wait_timeout = 0, lock_wait_timeout = 0",
        },
    ),
    "SQLite": ("default", {"timeout": 0.2}),
}
#: Seconds for an answer of a cache, and the options of databases, where no answer is to come.
SOON = 0.5
IMPATIENT = {
    "PostgreSQL": {"connect_timeout": 2},
    "MariaDB": {"connect_timeout": 1, "read_timeout": 1},
}


@dataclass
class Place:
    """Where the sessions of a test are kept, and by what they can be made to fail."""

    engine: str
    database: str | None = None
    cache: str | None = None
    path: Path | None = None
    database_proxy: Any = None
    cache_proxy: Any = None
    cache_server: OwnServer | None = None
    keys: list[str] = field(default_factory=list)

    @property
    def SessionStore(self) -> Any:
        return import_module(f"dj_sessions.backends.{self.engine}").SessionStore

    @contextmanager
    def silent_database(self) -> Iterator[None]:
        """Have the database accept connections and never answer, and its clients notice soon."""
        options = connections.settings[FRAGILE]["OPTIONS"]
        with mock.patch.dict(options, IMPATIENT[str(self.database)]):
            connections[FRAGILE].close()  # a connection that there is waits as its driver does
            self.database_proxy.silence()
            yield
            self.database_proxy.restore()
        connections[FRAGILE].close()

    @contextmanager
    def silent_cache(self) -> Iterator[None]:
        """Do the same with the cache, or the Redis of sessions."""
        with self._impatient_clients():
            self.cache_proxy.silence()
            yield
            self.cache_proxy.restore()

    @contextmanager
    def _impatient_clients(self) -> Iterator[None]:
        if self.engine == "redis":
            options = {"socket_timeout": SOON, "socket_connect_timeout": SOON}
            with override_settings(SESSION_REDIS=settings.SESSION_REDIS | {"OPTIONS": options}):
                yield
            return
        there = caches.settings[FRAGILE]
        if self.cache == "Memcached":
            change: dict[str, Any] = {"OPTIONS": there["OPTIONS"] | {"timeout": SOON}}
        else:  # django-redis keeps its connections by the address
            change = {"LOCATION": f"{there['LOCATION']}?socket_timeout={SOON}"}
        with mock.patch.dict(there, change):
            forget_client()
            yield
        forget_client()


@contextmanager
def place(
    engine: str,
    directory: Path,
    *,
    database: str | None = None,
    cache: str | None = None,
    cache_server: OwnServer | None = None,
) -> Iterator[Place]:
    """Have `engine` keep its sessions in a `database`, a `cache` of `cache_server`, or files."""
    made = Place(engine, database, cache, cache_server=cache_server)
    chosen: dict[str, Any] = {"SESSION_ENGINE": f"dj_sessions.backends.{engine}"}
    with ExitStack() as stack:
        if database:
            made.database_proxy = stack.enter_context(fragile_database(database, directory))
            stack.enter_context(router.use(FRAGILE))
        if engine == "redis" and cache_server:
            made.cache_proxy = way = stack.enter_context(way_to(cache_server))
            chosen["SESSION_REDIS"] = {"URL": f"redis://127.0.0.1:{way.port}"}
        elif cache and cache_server:
            made.cache_proxy = stack.enter_context(fragile_cache(cache, cache_server))
            chosen["SESSION_CACHE_ALIAS"] = FRAGILE
        if engine == "file":
            made.path = stack.enter_context(small_disk(directory)) / "sessions"
            made.path.mkdir()
            chosen["SESSION_FILE_PATH"] = made.path
        stack.enter_context(override_settings(**chosen))
        yield made


@contextmanager
def fragile_database(store: str, directory: Path) -> Iterator[Proxy | Path]:
    """The test database of `store` under the alias FRAGILE; yields the way to it.

    A table on SQLite is a new one, in a file on a disk of its own.
    """
    alias, options = DATABASES[store]
    server = None if store == "SQLite" else needs.server(alias)
    values = deepcopy(connections[alias].settings_dict)
    values["OPTIONS"] = {**values["OPTIONS"], **options}
    values["CONN_MAX_AGE"] = None  # what a failure does to a connection is to last
    with ExitStack() as stack:
        way: Proxy | Path
        if server is None:
            way = stack.enter_context(small_disk(directory)) / "sessions.sqlite3"
            values["NAME"] = str(way)
        else:
            way = Proxy(server)
            stack.callback(way.close)
            values.update(HOST="127.0.0.1", PORT=way.port)
        connections.settings[FRAGILE] = values
        stack.callback(_forget_database)
        if store == "SQLite":
            from dj_sessions.models import Session

            with connections[FRAGILE].schema_editor() as editor:
                editor.create_model(Session)
        yield way


def begin_request() -> None:
    """Let go of connections, as a server does at the beginning and the end of each request."""
    close_old_connections()
    close_caches()


def _forget_database() -> None:
    connections[FRAGILE].close()
    del connections[FRAGILE]
    del connections.settings[FRAGILE]


@contextmanager
def fragile_cache(store: str, server: OwnServer) -> Iterator[Proxy]:
    """The cache on `server` under the alias FRAGILE; yields the way to it."""
    backend, options = CACHES[store]
    scheme = "" if store == "Memcached" else "redis://"
    with ExitStack() as stack:
        way = Proxy(server.at)
        stack.callback(way.close)
        caches.settings[FRAGILE] = {
            "BACKEND": backend,
            "LOCATION": f"{scheme}127.0.0.1:{way.port}",
            "KEY_PREFIX": "",
            "OPTIONS": dict(options),
        }
        stack.callback(_forget_cache)
        stack.enter_context(mock.patch.object(outages, "FIRST_REST", 0.01))
        stack.enter_context(mock.patch.object(outages, "LONGEST_REST", 0.02))
        yield way
        way.restore()
        caches[FRAGILE].close()
        caches[FRAGILE].clear()


@contextmanager
def way_to(server: OwnServer) -> Iterator[Proxy]:
    """A way to `server` that can be cut, and is restored in the end."""
    way = Proxy(server.at)
    try:
        yield way
        way.restore()
    finally:
        way.close()


def forget_client() -> None:
    """Have the next one use the cache as its settings say now."""
    caches[FRAGILE].close()
    del caches[FRAGILE]


def _forget_cache() -> None:
    outages._outages.clear()
    generations._known.clear()
    forget_client()
    del caches.settings[FRAGILE]


@contextmanager
def asked_once_per_outage() -> Iterator[list[str]]:
    """Have a cache that fails be left alone for longer than a test takes; which of them failed."""
    failed: list[str] = []
    fail = outages.Outage._failed

    def note(self: outages.Outage, *args: Any) -> None:
        failed.append(self.alias)
        fail(self, *args)

    with (
        mock.patch.object(outages, "FIRST_REST", 10 * PATIENCE),
        mock.patch.object(outages, "LONGEST_REST", 10 * PATIENCE),
        mock.patch.object(outages.Outage, "_failed", note),
    ):
        yield failed
    outages._outages.clear()
