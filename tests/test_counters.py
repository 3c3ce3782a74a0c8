"""The counters tell the truth: what they count is what the drivers send, no more and no less.

Django's own engines serve as the known quantity; they were measured independently.
"""

import asyncio
import tempfile
from contextlib import contextmanager
from unittest import mock

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.sessions.backends.cache import SessionStore as CacheSession
from django.contrib.sessions.backends.db import SessionStore as DatabaseSession
from django.core.cache import caches
from django.db import connections, transaction
from django.db.models import signals

from tests.counters import nobody_listening, round_trips, statements, thread_hops
from tests.stores import in_thread


def trace_sqlite(connection):
    @contextmanager
    def tracing(seen):
        connection.set_trace_callback(seen.append)
        yield
        connection.set_trace_callback(None)

    return tracing


def trace_postgres(connection):
    """What libpq sends: one Query, or one Parse, Bind, Describe, Execute and Sync, a statement."""

    @contextmanager
    def tracing(seen):
        from psycopg import pq

        with tempfile.TemporaryFile("w+") as log:
            connection.pgconn.trace(log.fileno())
            connection.pgconn.set_trace_flags(pq.Trace.SUPPRESS_TIMESTAMPS)
            yield
            connection.pgconn.untrace()
            log.seek(0)
            # Each line: the direction (F: to the server), the length, the message.
            lines = [line.split("\t") for line in log.read().splitlines()]
            seen += [line for line in lines if line[0] == "F" and line[2] in ("Query", "Execute")]

    return tracing


def trace_mariadb(connection):
    @contextmanager
    def tracing(seen):
        original = type(connection)._execute_command

        def sending(self, command, sql):
            # Autocommit going off is this driver's BEGIN; going on again is Django's tidying up.
            if "AUTOCOMMIT = 1" not in str(sql):
                seen.append(sql)
            return original(self, command, sql)

        with mock.patch.object(type(connection), "_execute_command", sending):
            yield

    return tracing


@pytest.fixture(autouse=True)
def unheard():
    """Whoever listens, as our cached_db does, costs Django's engines statements."""
    with nobody_listening(signals.post_delete):
        yield


TRACES = {"sqlite": trace_sqlite, "postgresql": trace_postgres, "mysql": trace_mariadb}


@pytest.fixture
def sent(store):
    """A list that fills with what the driver of this store's database really sends."""
    connection = connections[store.database]
    connection.ensure_connection()

    @contextmanager
    def tracing():
        seen = []
        with TRACES[connection.vendor](connection.connection)(seen):
            yield seen

    return tracing


@pytest.mark.stores("db")
@pytest.mark.parametrize(
    ("deed", "count"),
    [("create", 4), ("load", 1), ("save", 3), ("cycle_key", 6), ("flush", 2)],
)
def test_the_statements_counted_are_those_that_the_driver_sends(store, sent, deed, count):
    session = DatabaseSession()
    session["a"] = 1
    session.create()
    if deed == "load":
        session = DatabaseSession(session.session_key)
    with sent() as truth, statements(store.database) as seen:
        getattr(session, deed)()
    assert len(seen) == len(truth), (seen, truth)
    assert len(seen) == count, seen


@pytest.mark.stores("db")
def test_savepoints_and_rollbacks_are_counted(store, sent):
    session = DatabaseSession()
    with sent() as truth, statements() as seen, transaction.atomic(using=store.database):
        session.create()
        transaction.set_rollback(True, using=store.database)
    # BEGIN, existence, SAVEPOINT, INSERT, RELEASE, ROLLBACK
    assert len(seen) == len(truth) == 6, (seen, truth)


@pytest.mark.stores("db")
def test_statements_of_other_threads_and_their_new_connections_are_seen(store):
    with statements(store.database) as seen:
        in_thread(DatabaseSession("abcdefgh" * 4).load)
    assert len(seen) == 1, seen


@pytest.mark.stores("db")
def test_statements_of_another_database_are_not_counted(store):
    with statements("no such alias") as seen:
        DatabaseSession().create()
    assert seen == []


@pytest.mark.stores("cache")
@pytest.mark.parametrize(
    ("deed", "count"),
    [("create", 2), ("load", 1), ("save", 2), ("cycle_key", 3), ("flush", 1)],
)
def test_round_trips_are_counted_on_every_cache(store, deed, count):
    session = CacheSession()
    session["a"] = 1
    session.create()
    if deed == "load":
        session = CacheSession(session.session_key)
    with round_trips() as seen:
        getattr(session, deed)()
    assert len(seen) == count, seen


@pytest.mark.stores("cache")
def test_the_greeting_of_a_new_connection_is_no_round_trip_of_the_session(store):
    with round_trips() as seen:
        CacheSession("abcdefgh" * 4).load()
    assert len(seen) == 1, seen


@pytest.mark.stores("cache")
def test_a_call_for_many_keys_on_a_local_cache_is_one_round_trip(store):
    with round_trips() as seen:
        caches[store.cache].get_many(["a", "b", "c"])
    assert len(seen) == 1, seen


@pytest.mark.stores("db")
@pytest.mark.parametrize(("deed", "count"), [("acreate", 2), ("acycle_key", 4)])
def test_thread_hops_are_counted(store, deed, count):
    session = DatabaseSession()
    if deed == "acycle_key":
        session.create()
    with thread_hops() as seen:
        async_to_sync(getattr(session, deed))()
    assert len(seen) == count, seen


def test_a_hop_is_a_hop_whoever_asks_for_it():
    async def hops():
        await sync_to_async(int)()
        await asyncio.to_thread(int)
        await asyncio.get_running_loop().run_in_executor(None, int)

    with thread_hops() as seen:
        asyncio.run(hops())
    assert len(seen) == 3, seen
