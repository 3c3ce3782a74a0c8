"""Commands that the tasks of an event loop send to Redis together: each has a span of its own."""

from __future__ import annotations

import asyncio
from unittest.mock import ANY

import pytest
import redis
from opentelemetry.trace import StatusCode

from tests import redis_servers
from tests.contract.costs import saved
from tests.counters import round_trips
from tests.traces.conftest import names

pytestmark = [pytest.mark.modes("async"), pytest.mark.stores("redis")]


@pytest.fixture
def key(store, mode):
    return saved(mode, store.SessionStore)


@pytest.fixture
def visits(store, traces):
    """Starts tasks that read at one time, each in a request that is called as what it reads."""
    storage = store.SessionStore().get_storage()

    async def read(key):
        with traces.request(key):
            return await storage.aread(key)

    return lambda *keys: [asyncio.create_task(read(key)) for key in keys]


def failed(span):
    return span.status.status_code is StatusCode.ERROR


async def outcomes(tasks):
    return await asyncio.gather(*tasks, return_exceptions=True)


def test_each_task_has_a_span_and_the_first_one_s_is_that_of_the_batch(key, traces, visits):
    async def visit():
        with round_trips() as trips:
            found = await outcomes(visits("first", key, "nobody"))
        return [record is not None for record in found], len(trips)

    traces.clear()
    assert asyncio.run(visit()) == ([False, True, False], 1)
    [batch] = traces.under("first")
    assert (batch.name, batch.attributes["db.statement"]) == ("GET GET GET", "GET ?\nGET ?\nGET ?")
    where = {"db.system", "db.redis.database_index", "net.peer.name", "net.peer.port"}
    for each in (key, "nobody"):
        [span] = traces.under(each)
        assert (span.name, span.attributes["db.statement"]) == ("GET", "GET ?")
        assert all(span.attributes[name] == batch.attributes[name] for name in where)
        assert span.end_time > batch.start_time
        assert not failed(span)


def test_what_redis_refuses_is_the_failure_of_who_has_asked(store, key, traces, visits):
    where = store.SessionStore().get_storage()
    where.server.send("RPUSH", where.name_of("list"), 1)

    async def visit(*names):
        traces.clear()
        answers = dict(zip(names, await outcomes(visits(*names)), strict=True))
        assert (type(answers["list"]), answers[key].payload) == (redis.ResponseError, ANY)
        return [failed(*traces.under(name)) for name in names]

    assert asyncio.run(visit("nobody", "list", key)) == [False, True, False]
    assert asyncio.run(visit("list", "nobody", key)) == [False] * 3  # a batch as such succeeds
    where.server.send("DEL", where.name_of("list"))


def test_where_no_server_answers_all_have_failed(store, traces, settings):
    settings.SESSION_REDIS = {"URL": "redis://127.0.0.1:1"}
    storage = store.SessionStore().get_storage()

    async def read(key):
        with traces.request(key):
            await storage.aread(key)

    async def visit():
        return await outcomes(map(read, "abc"))

    assert [type(error) for error in asyncio.run(visit())] == [redis.ConnectionError] * 3
    assert [failed(*traces.under(name)) for name in "abc"] == [True] * 3


def test_a_task_that_was_cancelled_before_anything_was_sent_has_no_span(key, traces, visits):
    async def visit():
        await outcomes(visits("nobody"))  # which opens the client of the loop
        traces.clear()
        leaves, stays = visits("left", key)
        await asyncio.sleep(0)
        leaves.cancel()
        return await stays

    assert asyncio.run(visit()).payload
    assert (traces.under("left"), names(traces.under(key))) == ([], {"GET": 1})


def test_a_task_that_is_cancelled_later_has_one_and_so_have_the_others(key, traces, visits):
    async def visit():
        tasks = visits("first", "left", key)
        with round_trips() as trips:
            while not trips:  # noqa: ASYNC110 - what is waited for sets no event
                await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.wait(tasks)
        return tasks[1].cancelled(), tasks[2].result().payload

    is_cancelled, found = asyncio.run(visit())
    assert is_cancelled
    assert found
    assert [len(traces.under(name)) for name in ("first", "left", key)] == [1, 1, 1]


def test_without_a_tracer_no_command_is_shown_to_one(store, key, monkeypatch):
    monkeypatch.delattr("dj_sessions.storage.redis.tracing.ShownCommands.show")
    storage = store.SessionStore().get_storage()

    async def visit():
        # What cannot be shown is answered all the same: the loop alone hears of the error.
        asyncio.get_running_loop().set_exception_handler(lambda _, error: errors.append(error))
        return await outcomes(storage.aread(key) for _ in range(3))

    errors = []
    assert all(record.payload for record in asyncio.run(visit()))
    assert errors == []


def test_in_a_cluster_each_command_is_sent_by_itself(store, mode, traces, settings):
    where = redis_servers.needed(lambda: redis_servers.place({"redis-cluster"}))
    settings.SESSION_REDIS = where | {"PREFIX": "traces:", "OPTIONS": redis_servers.PATIENT}
    keys = [saved(mode, store.SessionStore) for _ in range(3)]
    storage = store.SessionStore().get_storage()

    async def read(key):
        with traces.request(key):
            return await storage.aread(key)

    async def visit():
        return await outcomes(map(read, keys))

    traces.clear()
    assert all(record.payload for record in asyncio.run(visit()))
    assert [names(traces.under(key)) for key in keys] == [{"GET": 1}] * 3
