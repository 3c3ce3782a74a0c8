"""The demo site on the database and cache servers that its URLs can name."""

from __future__ import annotations

import os
import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar

import pytest

from tests import services
from tests.browser.demo import Demo
from tests.browser.needs import server, url
from tests.patience import PATIENCE


@contextmanager
def database(name: str) -> Iterator[str]:
    """The URL of an empty database that is this process's own."""
    at, scratch = server(name), f"{services.run().database_name}_demo_{os.getpid()}"
    login = {"host": at.host, "port": at.port, "user": at.user}
    if name == "postgres":
        import psycopg

        connection = psycopg.connect(
            **login, password=at.password or None, dbname="postgres", autocommit=True
        )
    else:
        import pymysql

        connection = pymysql.connect(**login, password=at.password)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {scratch}")
        cursor.execute(f"CREATE DATABASE {scratch}")
        try:
            yield url(name, at, f"/{scratch}")
        finally:
            cursor.execute(f"DROP DATABASE {scratch}")


class Browser:
    """A cookie jar, which is all of a browser that these tests need."""

    def __init__(self) -> None:
        keeps_cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        self._opener = urllib.request.build_opener(keeps_cookies)

    def page(self, demo: Demo, path: str) -> str:
        with self._opener.open(demo.url + path, timeout=PATIENCE) as answer:
            return answer.read().decode()

    def visits(self, demo: Demo) -> int:
        return int(re.search(r'class="count">(\d+)<', self.page(demo, "/"))[1])


@pytest.mark.parametrize(
    ("name", "shown"), [("postgres", "PostgreSQL: table"), ("mariadb", "MariaDB: table")]
)
def test_sessions_are_kept_in_the_database_that_the_url_names(tmp_path, name, shown):
    browser = Browser()
    with database(name) as address, Demo(tmp_path, DATABASE_URL=address) as demo:
        assert [browser.visits(demo), browser.visits(demo)] == [1, 2]
        assert shown in browser.page(demo, "/session/")
    assert not (tmp_path / "db.sqlite3").exists()


@pytest.mark.parametrize(
    ("scheme", "name", "path", "shown"),
    [
        ("django-redis", "redis", f"/{services.REDIS_DB}", "django_redis.cache.RedisCache: redis:"),
        ("memcached", "memcached", "", "PyMemcacheCache: "),
    ],
)
def test_sessions_are_kept_in_the_cache_that_the_url_names(tmp_path, scheme, name, path, shown):
    browser, address = Browser(), url(scheme, server(name), path)
    with Demo(tmp_path, CACHE_URL=address, SESSION_ENGINE="cache") as demo:
        assert [browser.visits(demo), browser.visits(demo)] == [1, 2]
        assert shown in browser.page(demo, "/session/")
