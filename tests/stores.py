"""The stores that the contract holds for: each engine on each database and cache it may have."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.db import connections

from dj_sessions._key_forms import key_forms
from dj_sessions._keys import FORMS
from tests import services

# The store's word for a database or cache -> the alias in settings, and the server it needs.
ALIASES = {"sqlite": "default", "locmem": "default"}
SERVERS = {"django_redis": "redis", "sqlite": None, "locmem": None}


@dataclass(frozen=True)
class Case:
    """An engine, and where it keeps what it keeps."""

    engine: str
    database: str | None = None
    cache: str | None = None

    @property
    def name(self) -> str:
        return "-".join(filter(None, (self.engine, self.database, self.cache)))

    @property
    def durable(self) -> bool:
        """Whether a session outlives the cache."""
        return self.engine != "cache"

    @property
    def server_side(self) -> bool:
        """Whether a key names a record on the server, which can be loaded, changed and removed."""
        return self.engine != "signed_cookies"

    @property
    def is_native(self) -> bool:
        """Whether its async methods do their I/O in the event loop, without a thread."""
        return self.engine == "redis"

    @property
    def is_moving(self) -> bool:
        """Whether sessions are in two places."""
        return self.engine == "moving"

    @property
    def needs_redis(self) -> bool:
        """Whether the engine itself talks to Redis."""
        return self.engine in ("redis", "moving")

    @property
    def missing(self) -> str:
        """Why this store cannot be had here, or the empty string."""
        words = filter(None, (self.database, self.cache, "redis" if self.needs_redis else None))
        needed = {SERVERS.get(word, word) for word in words} - {None}
        found = [services.run().services[name] for name in sorted(needed)]
        return "; ".join(str(service) for service in found if not service)


CASES = (
    Case("db", "sqlite"),
    Case("db", "postgres"),
    Case("db", "mariadb"),
    Case("cache", cache="locmem"),
    Case("cache", cache="redis"),
    Case("cache", cache="django_redis"),
    Case("cache", cache="memcached"),
    Case("cached_db", "sqlite", "locmem"),
    Case("cached_db", "postgres", "redis"),
    Case("cached_db", "postgres", "django_redis"),
    Case("cached_db", "mariadb", "memcached"),
    Case("file"),
    Case("redis"),
    Case("signed_cookies"),
)

#: The rows of SQLite, from which sessions move to Redis: the contract holds meanwhile as well.
MOVING = Case("moving")


@dataclass(frozen=True)
class Store:
    """The store of the current test, with the settings that select it in force."""

    case: Case
    path: Path | None = None

    @property
    def name(self) -> str:
        return self.case.name

    @property
    def kind(self) -> str:
        """The engine's name: db, cache, cached_db, file, redis, signed_cookies or moving."""
        return self.case.engine

    @property
    def durable(self) -> bool:
        return self.case.durable

    @property
    def server_side(self) -> bool:
        return self.case.server_side

    @property
    def is_native(self) -> bool:
        return self.case.is_native

    @property
    def hops(self) -> int:
        """How many thread hops an async operation takes that does I/O."""
        return int(self.server_side and not self.is_native)

    @property
    def database(self) -> str:
        """The alias of the database that this test's models live in, also without a db engine."""
        return ALIASES.get(self.case.database or "sqlite", self.case.database or "")

    @property
    def cache(self) -> str | None:
        """The alias of the cache, where the engine has one."""
        return ALIASES.get(self.case.cache or "", self.case.cache)

    @property
    def engine(self) -> str:
        return f"{settings.SESSIONS_ROOT}.backends.{self.kind}"

    @property
    def SessionStore(self) -> Any:
        return import_module(self.engine).SessionStore

    @property
    def Storage(self) -> Any:
        """The class of the storage in which the engine keeps its sessions."""
        return type(self.SessionStore().get_storage())


def in_thread(function: Any, *args: Any) -> Any:
    """Call in a thread of its own, which closes its connections; the result or error."""

    def call() -> Any:
        try:
            return function(*args)
        finally:
            connections.close_all()
            caches.close_all()

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(call).result()


def stored_name(key: str) -> str:
    """The form of a session key in which the store has it, as the settings say."""
    return FORMS[key_forms()[0]](key)
