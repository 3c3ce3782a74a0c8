"""What the environment may choose, and what is answered to a value that is not understood."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from testproject import environment


@pytest.mark.parametrize(
    ("url", "backend", "entry"),
    [
        ("sqlite:///a%20folder/db.sqlite3", "sqlite3", {"NAME": "a folder/db.sqlite3"}),
        ("sqlite:////srv/db.sqlite3", "sqlite3", {"NAME": "/srv/db.sqlite3"}),
        ("postgresql:///site", "postgresql", {"NAME": "site", "HOST": "", "PORT": ""}),
        (
            "postgres://me:p%40ss@db.example:5433/site",
            "postgresql",
            {"USER": "me", "PASSWORD": "p@ss", "HOST": "db.example", "PORT": "5433"},
        ),
        ("mariadb://root@127.0.0.1/site", "mysql", {"NAME": "site", "USER": "root"}),
        ("mysql://root@[::1]:3306/site", "mysql", {"HOST": "::1", "PORT": "3306"}),
    ],
)
def test_a_database_url_becomes_an_entry_of_databases(url, backend, entry):
    database = environment.database(url)
    assert database["ENGINE"] == f"django.db.backends.{backend}"
    assert {name: database[name] for name in entry} == entry


@pytest.mark.parametrize(
    ("url", "backend", "location"),
    [
        ("locmem://", "locmem.LocMemCache", ""),
        ("redis://127.0.0.1:6379/1", "redis.RedisCache", "redis://127.0.0.1:6379/1"),
        ("rediss://cache.example", "redis.RedisCache", "rediss://cache.example"),
        ("django-redis://cache.example/2", "cache.RedisCache", "redis://cache.example/2"),
        ("memcached://cache.example", "memcached.PyMemcacheCache", "cache.example:11211"),
        ("memcached://127.0.0.1:11212", "memcached.PyMemcacheCache", "127.0.0.1:11212"),
    ],
)
def test_a_cache_url_becomes_an_entry_of_caches(url, backend, location):
    cache = environment.cache(url)
    assert cache["BACKEND"].endswith(backend)
    assert cache["LOCATION"] == location


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://db.example/site",
        "db.sqlite3",
        "sqlite://",
        "sqlite://db.sqlite3/x",
        "postgresql://db.example",
        "postgresql://db.example:port/site",
        "postgresql://db.example/site?sslmode=require",
    ],
)
def test_a_bad_database_url_is_named_with_what_is_accepted(url):
    with pytest.raises(ImproperlyConfigured) as refusal:
        environment.database(url)
    shown = url.partition(":")[0] + (":…" if ":" in url else "")
    assert f"DATABASE_URL={shown!r} is not understood. Accepted: sqlite:///" in str(refusal.value)


@pytest.mark.parametrize(
    "url", ["redis", "redis://", "redis://cache.example:x", "locmem://host", "file:///tmp/cache"]
)
def test_a_bad_cache_url_is_named_with_what_is_accepted(url):
    with pytest.raises(ImproperlyConfigured) as refusal:
        environment.cache(url)
    shown = url.partition(":")[0] + (":…" if ":" in url else "")
    assert f"CACHE_URL={shown!r} is not understood. Accepted: locmem://" in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "oracle://me:sec@ret@db.example/site",
        "postgresql://me:12/secret@db.example/site",
        "postgresql://me:sec#ret@db.example/site",
        "postgresql://me:secret/site",
        "postgresql:/me:secret@db.example/site",
        "postgresql://db.example/site?password=secret",
        "me:secret@db.example",
        "postgresql://me:sec\nret@db.example:x/site",
    ],
)
def test_a_refusal_does_not_show_the_password(url: str):
    for name, read in (("DATABASE_URL", environment.database), ("CACHE_URL", environment.cache)):
        with pytest.raises(ImproperlyConfigured) as refusal:
            read(url)
        said = str(refusal.value).partition(" Accepted: ")[0]
        assert said == f"{name}={url.partition(':')[0] + ':…'!r} is not understood."


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("redis://:open%2Fsesame@cache.example:6380/1", {"password": "open/sesame"}),
        ("redis://me:x@cache.example:6380/1", {"username": "me", "password": "x"}),
        (
            "django-redis://me:x@cache.example:6380/1",
            {"CONNECTION_POOL_KWARGS": {"username": "me", "password": "x"}},
        ),
    ],
)
def test_the_login_of_a_cache_is_no_part_of_its_location(url, options):
    cache = environment.cache(url)
    assert cache["LOCATION"] == "redis://cache.example:6380/1"
    assert cache["OPTIONS"] == options


def test_a_choice_that_is_not_offered_is_named_with_what_is(monkeypatch):
    monkeypatch.setenv("SESSION_ENGINE", "databse")
    with pytest.raises(ImproperlyConfigured, match=r"SESSION_ENGINE='databse' .* db, cache"):
        environment.choice("SESSION_ENGINE", ("db", "cache"), "db")


@pytest.mark.parametrize("value", [None, ""])
def test_a_choice_that_is_not_made_is_the_default(monkeypatch, value):
    monkeypatch.delenv("SESSION_ENGINE", raising=False)
    if value is not None:
        monkeypatch.setenv("SESSION_ENGINE", value)
    assert environment.choice("SESSION_ENGINE", ("db", "cache"), "db") == "db"


@pytest.mark.parametrize("value", ["cache", "dj_sessions.backends.cache"])
def test_an_engine_may_be_named_as_a_site_s_settings_name_it(monkeypatch, value):
    monkeypatch.setenv("SESSION_ENGINE", value)
    prefix = "dj_sessions.backends."
    assert environment.choice("SESSION_ENGINE", ("db", "cache"), "db", prefix) == "cache"


@pytest.mark.parametrize(("value", "meaning"), [("1", True), ("true", True), ("0", False)])
def test_a_flag_is_on_or_off(monkeypatch, value, meaning):
    monkeypatch.setenv("DEBUG", value)
    assert environment.flag("DEBUG", default="1") is meaning


def test_a_secret_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path):
    path = tmp_path / "secret"
    made = iter(["first", "second"])
    assert environment.kept(path, lambda: next(made)) == "first"
    assert environment.kept(path, lambda: next(made)) == "first"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_limit_is_a_number_of_seconds_or_none(monkeypatch):
    monkeypatch.setenv("SESSION_IDLE_AGE", "120")
    assert environment.seconds("SESSION_IDLE_AGE") == 120
    monkeypatch.setenv("SESSION_IDLE_AGE", "")
    assert environment.seconds("SESSION_IDLE_AGE") is None


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "two", "\u0661"])
def test_a_bad_limit_is_named_with_what_is_accepted(monkeypatch, value):
    monkeypatch.setenv("SESSION_IDLE_AGE", value)
    with pytest.raises(ImproperlyConfigured, match="Accepted: a number of seconds"):
        environment.seconds("SESSION_IDLE_AGE")
