"""How each failure that the documentation names is provoked: on the real thing where possible.

`FAILURES[store, words]` is a context manager for a `Place`. Inside it the store fails, after it
the store is as it was. It may yield what is to be called with a session key before each request,
and returns an event: the store gives way then, and the event tells when it did.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import redis
from django.core.cache.backends.memcached import PyMemcacheCache
from django.db import OperationalError, connections

from tests.outages import disks
from tests.outages.places import DATABASES, FRAGILE, Place
from tests.outages.servers import OwnServer

Failure = Callable[[Place], AbstractContextManager[Any]]

FAILURES: dict[tuple[str, str], Failure] = {}

SERVERS = ("PostgreSQL", "MariaDB")
REDIS = ("Redis", "django-redis")


def provokes(words: str, *stores: str) -> Callable[[Any], Any]:
    """Declare the function as the way to this failure of these stores."""

    def declare(function: Any) -> Any:
        for store in stores:
            FAILURES[store, words] = contextmanager(function)
        return function

    return declare


# -- servers, whichever


@provokes("unreachable", *SERVERS)
def cut_database(place: Place) -> Iterator[None]:
    place.database_proxy.cut()
    yield
    place.database_proxy.restore()


@provokes("unreachable", *REDIS, "Memcached")
def cut_cache(place: Place) -> Iterator[None]:
    place.cache_proxy.cut()
    yield
    place.cache_proxy.restore()


@provokes("accepts and never answers", *SERVERS)
def silence_database(place: Place) -> Iterator[None]:
    with place.silent_database():
        yield


@provokes("accepts and never answers", *REDIS, "Memcached")
def silence_cache(place: Place) -> Iterator[None]:
    with place.silent_cache():
        yield


# -- databases


@provokes("the table is locked for too long", "PostgreSQL")
def lock_table_of_postgres(place: Place) -> Iterator[None]:
    with _transaction(place) as cursor:
        cursor.execute("LOCK TABLE django_session IN ACCESS EXCLUSIVE MODE")
        yield


@provokes("the table is locked for too long", "MariaDB")
def lock_table_of_mariadb(place: Place) -> Iterator[None]:
    with _transaction(place) as cursor:
        cursor.execute("LOCK TABLES django_session WRITE")
        yield
        cursor.execute("UNLOCK TABLES")


@provokes("the rows are locked for too long", *SERVERS)
def lock_rows(place: Place) -> Iterator[None]:
    with _transaction(place) as cursor:
        cursor.execute("SELECT session_key FROM django_session FOR UPDATE")
        yield


@contextmanager
def _transaction(place: Place) -> Iterator[Any]:
    with _past_the_proxy(place) as connection, connection.cursor() as cursor:
        connection.set_autocommit(False)
        yield cursor
        connection.rollback()


@contextmanager
def _past_the_proxy(place: Place) -> Iterator[Any]:
    """Somebody else's connection to the same database."""
    assert place.database
    connection = connections[DATABASES[place.database][0]].copy()
    try:
        yield connection
    finally:
        connection.close()


@provokes("read-only", "PostgreSQL")
def read_only_postgres(place: Place) -> Iterator[None]:
    yield from _set("default_transaction_read_only = on", "default_transaction_read_only = off")


@provokes("read-only", "MariaDB")
def read_only_mariadb(place: Place) -> Iterator[None]:
    yield from _set("SESSION TRANSACTION READ ONLY", "SESSION TRANSACTION READ WRITE")


def _set(on: str, off: str) -> Iterator[None]:
    with connections[FRAGILE].cursor() as cursor:
        cursor.execute(f"SET {on}")
        yield
        cursor.execute(f"SET {off}")


@provokes("full", "PostgreSQL")
def full_postgres(place: Place) -> Iterator[None]:
    """The server says what it says when its disk is full; DELETE needs no room."""
    yield from _triggers(
        place,
        [
            "CREATE FUNCTION out_of_room() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END $$",
            "CREATE TRIGGER out_of_room BEFORE INSERT OR UPDATE ON django_session "
            "EXECUTE FUNCTION out_of_room()",
        ],
        ["DROP TRIGGER out_of_room ON django_session", "DROP FUNCTION out_of_room()"],
    )


@provokes("full", "MariaDB")
def full_mariadb(place: Place) -> Iterator[None]:
    """Error 1114, "The table is full", as the server words it."""
    signal = "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'The table is full'"
    yield from _triggers(
        place,
        [
            f"CREATE TRIGGER full_{event} BEFORE {event} ON django_session FOR EACH ROW {signal}"
            for event in ("INSERT", "UPDATE")
        ],
        [f"DROP TRIGGER full_{event}" for event in ("INSERT", "UPDATE")],
    )


def _triggers(place: Place, make: list[str], drop: list[str]) -> Iterator[None]:
    with _past_the_proxy(place) as connection, connection.cursor() as cursor:
        for statement in make:
            cursor.execute(statement)
        yield
        for statement in drop:
            cursor.execute(statement)


@provokes("only writing works", *SERVERS, "SQLite")
def no_reading_from_a_database(place: Place) -> Iterator[None]:
    def refuse(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("SELECT"):
            raise OperationalError("cannot read")
        return execute(sql, *rest)

    with connections[FRAGILE].execute_wrapper(refuse):
        yield


# -- SQLite


@provokes("unreachable", "SQLite")
def file_of_sqlite_is_gone(place: Place) -> Iterator[None]:
    path: Path = place.database_proxy
    connections[FRAGILE].close()
    away = path.parent.with_name("away")
    with mock.patch.dict(connections[FRAGILE].settings_dict, NAME=str(away / path.name)):
        yield
        connections[FRAGILE].close()


@provokes("locked by another process for too long", "SQLite")
def lock_sqlite(place: Place) -> Iterator[None]:
    other = sqlite3.connect(str(place.database_proxy), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


@provokes("read-only", "SQLite")
def read_only_sqlite(place: Place) -> Iterator[None]:
    connections[FRAGILE].close()
    with disks.read_only(place.database_proxy.parent):
        yield
        connections[FRAGILE].close()


@provokes("full", "SQLite")
def full_sqlite(place: Place) -> Iterator[None]:
    with disks.full(place.database_proxy.parent):
        yield


# -- Redis and Memcached


@provokes("read-only", *REDIS)
def redis_follows_another(place: Place) -> Iterator[None]:
    """A replica whose master is not there serves what it has."""
    with _admin(place) as server:
        server.replicaof("127.0.0.1", 1)
        yield
        server.replicaof("NO", "ONE")


@provokes("full, evicting nothing", *REDIS)
def full_redis(place: Place) -> Iterator[None]:
    with _admin(place) as server:
        server.config_set("maxmemory-policy", "noeviction")
        server.config_set("maxmemory", "1")
        yield
        server.config_set("maxmemory", "0")


@provokes("only writing works", *REDIS)
def no_reading_from_redis(place: Place) -> Iterator[None]:
    with _admin(place) as server:
        server.execute_command("ACL", "SETUSER", "default", "-get", "-mget")
        yield
        server.execute_command("ACL", "SETUSER", "default", "+@all")


@contextmanager
def _admin(place: Place) -> Iterator[Any]:
    at = _server(place).at
    with redis.Redis(host=at.host, port=at.port) as server:
        yield server


@provokes("full, evicting the oldest", "Memcached")
def full_memcached(place: Place) -> Iterator[None]:
    names = [place.SessionStore(key).cache_key for key in place.keys]
    # Somebody else's client: a visitor's would give up on so much at once on a busy machine.
    at = _server(place).at
    others = PyMemcacheCache(f"{at.host}:{at.port}", {})
    [same, *_] = others.get_many(names).values()
    # Items of the same size want the same room: several times as many as there is room for.
    width = len(place.keys[0])
    for start in range(0, 16000, 1000):
        keys = (f"{number:0{width}}" for number in range(start, start + 1000))
        others.set_many({place.SessionStore(key).cache_key: same for key in keys})
    assert not others.get_many(names)
    others.close()
    yield


def _server(place: Place) -> OwnServer:
    assert place.cache_server is not None
    return place.cache_server


# -- files


@provokes("the directory is not there", "files")
def no_directory(place: Place) -> Iterator[None]:
    path = _path(place)
    away = path.rename(path.with_name("away"))
    yield
    away.rename(path)


@provokes("read-only", "files")
def read_only_files(place: Place) -> Iterator[None]:
    with disks.read_only(_path(place).parent):
        yield


@provokes("full", "files")
def full_files(place: Place) -> Iterator[None]:
    with disks.full(_path(place).parent):
        yield


@provokes("only writing works", "files")
def no_reading_of_files(place: Place) -> Iterator[None]:
    opened, directory = os.open, str(_path(place))

    def refuse(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if str(path).startswith(directory) and flags & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EIO, "cannot read")
        return opened(path, flags, *args, **kwargs)

    with mock.patch("os.open", refuse):
        yield


@provokes("locked by another process", "files")
def locked_files(place: Place) -> Iterator[Callable[[str], threading.Event]]:
    def lock(key: str) -> threading.Event:
        file, over = (_path(place) / f"sessionid{key}").open("rb"), threading.Event()
        fcntl.flock(file, fcntl.LOCK_EX)

        def give_way() -> None:
            over.set()
            file.close()

        threading.Timer(0.1, give_way).start()
        return over

    yield lock


def _path(place: Place) -> Path:
    assert place.path is not None
    return place.path
