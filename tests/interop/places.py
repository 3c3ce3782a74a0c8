"""Where sessions are kept, as settings that two sites on one package each can share."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tests import services, settings
from tests.patience import PATIENCE
from tests.redis_servers import PATIENT
from tests.stores import CASES, Case

DJANGO, OURS = "django.contrib.sessions", "dj_sessions"

#: A cache in the memory of one process cannot be shared.
SHARED = tuple(case for case in CASES if case.cache != "locmem" and case.engine != "redis")

PREFIX = f"{services.run().database_name}_{os.environ.get('PYTEST_XDIST_WORKER', 'interop')}"


class Place:
    """The database, cache and directory of one case; `site(root)` is a site that uses them."""

    def __init__(self, case: Case, name: str, database: dict[str, Any], directory: str) -> None:
        self.case = case
        self.name = name
        self.database = database
        self.directory = directory

    def site(self, root: str, **changes: Any) -> dict[str, Any]:
        """The settings of a site with sessions of the package `root`."""
        return {
            "SECRET_KEY": "shared by both sites, and long enough for Django not to complain of it",
            "INSTALLED_APPS": [
                "tests.interop.bookmarks",  # before the package, which must be ready for that
                "django.contrib.auth",
                "django.contrib.contenttypes",
                "django.contrib.messages",
                root,
            ],
            "MIDDLEWARE": [
                f"{root}.middleware.SessionMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware",
                "django.contrib.messages.middleware.MessageMiddleware",
            ],
            "SESSION_ENGINE": f"{root}.backends.{self.engine(root)}",
            "SESSION_SERIALIZER": f"{root}.serializers.JSONSerializer",
            "SESSION_FILE_PATH": self.directory,
            "SESSION_CACHE_ALIAS": "sessions" if self.cache else "default",
            "MESSAGE_STORAGE": "django.contrib.messages.storage.session.SessionStorage",
            "DATABASES": {"default": self.database},
            "CACHES": self.caches(),
            "ROOT_URLCONF": "tests.interop.site",
            "ALLOWED_HOSTS": ["127.0.0.1"],
            "DEFAULT_AUTO_FIELD": "django.db.models.AutoField",
            "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
            "USE_TZ": True,
            "SESSION_COOKIE_TOO_LARGE": "warning",  # as with Django
            **self.redis(root),
        } | changes

    @property
    def cache(self) -> str | None:
        """The alias of the cache; beside our `redis` engine it is that of Django's `cache`."""
        return "redis" if self.case.engine == "redis" else self.case.cache

    def engine(self, root: str) -> str:
        return "cache" if self.case.engine == "redis" and root == DJANGO else self.case.engine

    def redis(self, root: str) -> dict[str, Any]:
        if not self.case.needs_redis or root == DJANGO:
            return {}
        url = settings.CACHES["redis"]["LOCATION"]
        place = {"URL": url, "PREFIX": f"{self.name}:", "OPTIONS": PATIENT}
        return {"SESSION_REDIS": place}

    def caches(self) -> dict[str, Any]:
        caches: dict[str, Any] = {"default": settings.CACHES["dummy"]}
        if self.cache:
            caches["sessions"] = settings.CACHES[self.cache] | {"KEY_PREFIX": self.name}
        return caches


@contextmanager
def prepared(case: Case, purpose: str = "shared") -> Iterator[Place]:
    """An empty place for the case, removed at the end; one for each purpose at a time."""
    name = f"{PREFIX}_{purpose}"
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        make = {"postgres": postgres, "mariadb": mariadb}.get(case.database or "", sqlite)
        database = stack.enter_context(make(name, directory))
        if case.cache in ("redis", "django_redis") or case.needs_redis:
            stack.callback(empty_redis, name)
        sessions = stack.enter_context(tempfile.TemporaryDirectory())
        yield Place(case, name, database, sessions)


@contextmanager
def sqlite(name: str, directory: str) -> Iterator[dict[str, Any]]:
    options = settings.DATABASES["default"]["OPTIONS"] | {"timeout": PATIENCE}
    file = f"{directory}/{name}.sqlite3"
    yield {"ENGINE": "django.db.backends.sqlite3", "NAME": file, "OPTIONS": options}


@contextmanager
def postgres(name: str, directory: str) -> Iterator[dict[str, Any]]:
    import psycopg

    at = services.run().services["postgres"]
    login = {"user": at.user, "password": at.password or None, "dbname": "postgres"}
    connection = psycopg.connect(host=at.host, port=at.port, autocommit=True, **login)
    with connection, recreated(name, connection.execute):
        yield settings.DATABASES["postgres"] | {"NAME": name}


@contextmanager
def mariadb(name: str, directory: str) -> Iterator[dict[str, Any]]:
    import pymysql

    at = services.run().services["mariadb"]
    login = {"user": at.user, "password": at.password}
    connection = pymysql.connect(host=at.host, port=at.port, **login)
    with connection, connection.cursor() as cursor, recreated(name, cursor.execute):
        yield settings.DATABASES["mariadb"] | {"NAME": name}


@contextmanager
def recreated(name: str, execute: Callable[[str], Any]) -> Iterator[None]:
    """An empty database; what a killed run left behind is removed first."""
    execute(f"DROP DATABASE IF EXISTS {name}")
    execute(f"CREATE DATABASE {name}")
    try:
        yield
    finally:
        execute(f"DROP DATABASE {name}")


def empty_redis(prefix: str) -> None:
    import redis

    with redis.Redis.from_url(settings.CACHES["redis"]["LOCATION"]) as client:
        for key in client.scan_iter(f"{prefix}:*"):
            client.delete(key)
