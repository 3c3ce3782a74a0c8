"""Redis itself: on a single server, a cluster, Sentinel, and where no scripts run."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import secrets
import socket
import socketserver
import threading
import time
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from unittest import mock

import pytest
import redis
from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from django.utils import timezone

from dj_sessions._codec import forwards
from dj_sessions.backends.redis import SessionStore
from dj_sessions.storage import Record
from dj_sessions.storage.redis import server
from dj_sessions.storage.redis.server import server_of
from dj_sessions.storage.redis.steps import DIGEST, refuses_scripts
from dj_sessions.testing import AsyncStorageContract, StorageContract
from tests import redis_servers
from tests.counters import round_trips, thread_hops
from tests.outages.servers import Proxy
from tests.patience import PATIENCE, eventually, quickest
from tests.redis_servers import PATIENT
from tests.storage.test_many import all_methods

LOGIN = {"_auth_user_id": "1", "_auth_user_backend": "b", "_auth_user_hash": "h"}


def single():
    return {"URL": redis_servers.plain()}


def cluster():
    return redis_servers.place({"redis-cluster"}) | {"OPTIONS": PATIENT}


def sentinel():
    return redis_servers.place({"redis-sentinel"}) | {"OPTIONS": PATIENT}


def without_scripts():
    return {"URL": f"redis://plain:secret@127.0.0.1:{redis_servers.restricted().port}"}


def make_client():
    return redis.Redis.from_url(redis_servers.plain(), decode_responses=True)


def make_async_client():
    return redis.asyncio.Redis.from_url(redis_servers.plain(), decode_responses=True)


def own_clients():
    redis_servers.plain()
    return {"CLIENT": f"{__name__}.make_client", "ASYNC_CLIENT": f"{__name__}.make_async_client"}


KINDS = {
    "single": single,
    "cluster": cluster,
    "Sentinel": sentinel,
    "no scripts": without_scripts,
    "own clients": own_clients,
}


#: Those of several servers take a while.
SLOW = ("cluster", "Sentinel")


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in KINDS]
)
def kind(request, cache_prefixes):
    """A kind of Redis, as that of SESSION_REDIS."""
    config = redis_servers.needed(KINDS[request.param]) | {"PREFIX": f"{next(cache_prefixes)}:"}
    with override_settings(SESSION_REDIS=config):
        yield request.param


of_one_server = pytest.mark.parametrize("kind", ["single"], indirect=True)


class OfEachKind:
    threads = 4

    @pytest.fixture(autouse=True)
    def the_kind(self, kind, settings):
        """Have it no limits of time: threads that pause wait for each other on a busy machine."""
        config = settings.SESSION_REDIS
        if "CLIENT" not in config:
            settings.SESSION_REDIS = config | {"OPTIONS": PATIENT}
        with mock.patch.object(server, "LIMIT", PATIENCE):
            yield

    def make_storage(self):
        return SessionStore().get_storage()


class TestKinds(OfEachKind, StorageContract):
    pass


class TestKindsInAsync(OfEachKind, AsyncStorageContract):
    pass


def storage():
    return SessionStore().get_storage()


def record(payload, **age):
    now = timezone.now()
    return Record(payload, now + timedelta(**(age or {"hours": 1})), now)


def milliseconds_since(began):
    """Redis has a clock of its own, which goes on while a busy machine takes its time."""
    return 1000 * (time.monotonic() - began)


def raw(key):
    """What Redis has under a session key, and for how many milliseconds."""
    where = storage()
    name = where.name_of(key)
    return where.server.send("GET", name), where.server.send("PTTL", name)


# Sessions


def test_a_session_lives_and_ends_in_both_modes_at_once(kind):
    async def change(key):
        session = SessionStore(key)
        await session.aset("size", 3)
        await session.asave()
        await session.acycle_key()
        return session.session_key

    first = SessionStore()
    first.update(LOGIN)
    first.create()
    under_way = SessionStore(first.session_key)
    assert under_way["_auth_user_id"] == LOGIN["_auth_user_id"]
    with thread_hops() as hops:
        new = async_to_sync(change)(first.session_key)
    assert hops == []
    under_way["colour"] = "green"
    under_way.save()
    assert under_way.session_key == new
    assert dict(SessionStore(new).items()) == LOGIN | {"size": 3, "colour": "green"}
    assert not SessionStore().exists(first.session_key)
    under_way.flush()
    assert SessionStore(new).load() == {}


def test_no_write_is_lost(kind, settings):
    settings.SESSION_CONFLICT_TIMEOUT = 60
    session = SessionStore()
    session.create()
    key = session.session_key

    def save(number):
        mine = SessionStore(key)
        mine[f"sync {number}"] = number
        mine.save()

    async def asave(number):
        mine = SessionStore(key)
        await mine.aset(f"async {number}", number)
        await mine.asave()

    async def all_tasks():
        await asyncio.gather(*map(asave, range(12)))

    with ThreadPoolExecutor(5) as threads:
        tasks = threads.submit(asyncio.run, all_tasks())
        list(threads.map(save, range(12)))
        tasks.result()
    kept = dict(SessionStore(key).items())
    assert kept == {f"{mode} {n}": n for mode in ("sync", "async") for n in range(12)}


def test_all_sessions_are_listed(kind):
    keys = set()
    for _ in range(20):
        session = SessionStore()
        session.create()
        keys.add(session.session_key)
    found = [name for batch in storage().names(7) for name in batch]
    assert set(found) == keys
    assert len(found) == len(keys)


def test_those_among_many_that_have_a_session_are_read_in_one_round_trip(kind):
    where, keys = storage(), [secrets.token_hex(16) for _ in range(20)]
    for key in keys[:12]:
        where.insert(key, record("green"))
    where.move(keys[0], None, keys[19])
    with round_trips() as trips:
        found = where.read_among(keys)
    assert {key: each.payload for key, each in found.items()} == dict.fromkeys(keys[1:12], "green")
    if kind != "cluster":  # which has them on several servers
        assert len(trips) == 1
    assert where.read_among([]) == {}


def test_many_at_once_are_what_each_is_alone(kind):
    all_methods(storage())
    all_methods(storage())  # the server has the script


@pytest.mark.slow
def test_what_a_node_of_a_cluster_has_not_answered_counts_as_no_step(cache_prefixes):
    config = redis_servers.needed(cluster) | {"PREFIX": f"{next(cache_prefixes)}:"}
    keys = [secrets.token_hex(16) for _ in range(20)]
    with override_settings(SESSION_REDIS=config):
        storage().many("insert", [(key, record("there")) for key in keys])
    impatient = config | {"OPTIONS": {"socket_timeout": 0.1}}
    with override_settings(SESSION_REDIS=impatient):
        where = storage()
        eventually(lambda: where.server.client, redis.RedisError)  # connected
        start = redis_servers.cluster().port
        port = next(node.port for node in where.server.client.get_nodes() if node.port != start)
        with redis.Redis(port=port) as node:
            node.client_pause(1000 * PATIENCE, all=False)  # scripts, and not what ends the pause
            with pytest.raises(redis.TimeoutError):
                where.many("replace", [(key, record("new"), record("other")) for key in keys])
            node.client_unpause()


# What is stored


@of_one_server
def test_what_is_stored_is_the_signed_text_for_its_very_lifetime(kind, clock, no_limits):
    session = SessionStore()
    session["colour"] = "green"
    session.set_expiry(timedelta(milliseconds=90_500))
    began = time.monotonic()
    session.save()
    text, left = raw(session.session_key)
    assert text.decode() == session.encode(dict(session.items()))
    assert 90_400 - milliseconds_since(began) < left <= 90_500


@of_one_server
def test_a_forward_stands_under_the_old_key_for_a_minute(kind, mode):
    where, key = mode.wrap(storage()), "a" * 32
    forward = forwards.make(key, "b" * 32)
    assert where.insert(key, record("text"))
    began = time.monotonic()
    assert where.move(key, None, forward)
    assert where.read(key) == Record(None, forward=forward)
    text, left = raw(key)
    assert text.startswith(b"#moved:")
    assert 59_000 - milliseconds_since(began) < left <= 60_000
    assert not where.insert(key, record("another"))


@of_one_server
@pytest.mark.parametrize("odd", [b"\xff\xfe", b"", "ünï".encode(), b"x" * 100_000])
def test_whatever_is_stored_can_be_compared_and_replaced(kind, mode, odd):
    where, key = mode.wrap(storage()), secrets.token_hex(16)
    where.raw.server.send("SET", where.raw.name_of(key), odd, "PX", 60_000)
    found = where.read(key)
    assert where.holds(key) is bool(odd)
    assert not where.replace(key, record("new"), record("other"))
    assert where.replace(key, record("new"), found)
    assert where.read(key).payload == "new"


@pytest.mark.parametrize("kind", ["single", "no scripts"], indirect=True)
def test_a_write_whose_answer_was_lost_may_be_sent_again(kind, mode):
    where, key = mode.wrap(storage()), secrets.token_hex(16)
    old, new = record("old"), record("new")
    where.insert(key, old)
    assert [where.replace(key, new, old) for _ in range(2)] == [True, True]
    for expected in (new, None):
        where.raw.server.send("SET", where.raw.name_of(key), "new", "PX", 60_000)
        assert [where.move(key, expected, "#moved:x") for _ in range(2)] == [True, True]
    assert not where.move(key, None, "#moved:y")


@of_one_server
@pytest.mark.parametrize("expected", [None, "text"])
def test_a_save_of_what_is_stored_already_makes_it_live_longer(kind, mode, expected):
    where, key = mode.wrap(storage()), secrets.token_hex(16)
    where.insert(key, record("text", minutes=1))
    assert where.replace(key, record("text"), expected and Record(expected))
    assert raw(key)[1] > 3_500_000


@of_one_server
def test_a_key_may_be_any_text(kind, mode):
    where, key = mode.wrap(storage()), "schlüssel{1}:" + "k" * 140
    assert where.insert(key, record("text"))
    assert where.read(key).payload == "text"
    assert where.remove(key)


@of_one_server
def test_an_error_of_redis_is_no_missing_session(kind, mode):
    where, key = mode.wrap(storage()), secrets.token_hex(16)
    where.raw.server.send("LPUSH", where.raw.name_of(key), "no session")
    for call in (
        lambda: where.read(key),
        lambda: where.replace(key, record("new"), None),
        lambda: where.remove(key),
    ):
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            call()
    where.raw.server.send("DEL", where.raw.name_of(key))


# Scripts


@pytest.mark.parametrize("kind", ["no scripts"], indirect=True)
def test_a_server_that_runs_no_scripts_is_asked_and_told_of_once(kind, mode, caplog):
    server = server_of({**single_of(kind), "OPTIONS": {"client_name": mode.name}})
    where = mode.wrap(type(storage())(server, f"{secrets.token_hex(4)}:"))
    old, new = record("old"), record("new")
    where.insert("k" * 32, old)
    with caplog.at_level(logging.WARNING):
        assert where.replace("k" * 32, new, old)
        assert not where.replace("k" * 32, record("other"), old)
    assert [line.message for line in caplog.records] == [
        line.message for line in caplog.records if "WATCH and MULTI" in line.message
    ]
    assert len(caplog.records) == 1
    with round_trips() as made:
        assert where.replace("k" * 32, old, new)
    assert len(made) == 3, made
    assert where.remove("k" * 32)


@pytest.mark.parametrize("kind", ["no scripts"], indirect=True)
def test_without_scripts_a_connection_that_fails_is_made_anew(kind, mode, monkeypatch):
    where, key = mode.wrap(storage()), secrets.token_hex(16)
    where.insert(key, record("old"))
    where.replace(key, record("old"), None)  # so that scripts are out of the way
    kills = []

    def get_of(pipeline):
        plain = pipeline.get

        def get(self, name):
            if not kills:
                kills.append(name)
                with redis.Redis(port=redis_servers.restricted().port) as other:
                    other.execute_command("CLIENT", "KILL", "USER", "plain")
            return plain(self, name)

        return get

    for pipeline in (redis.client.Pipeline, redis.asyncio.client.Pipeline):
        monkeypatch.setattr(pipeline, "get", get_of(pipeline))
    assert where.replace(key, record("new"), record("old"))
    assert len(kills) == 1
    assert where.read(key).payload == "new"


@pytest.mark.parametrize("kind", ["no scripts"], indirect=True)
def test_without_scripts_a_full_server_ends_sessions_as_well(kind, mode):
    where, keys = mode.wrap(storage()), [secrets.token_hex(16) for _ in range(3)]
    for key in keys:
        where.insert(key, record("old"))
    forward = forwards.make(keys[0], keys[1])
    where.move(keys[0], None, forward)
    with redis_servers.full(redis_servers.restricted()):
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            where.replace(keys[1], record("new"), None)
        assert where.remove(keys[1])
        assert not where.remove(keys[1])
        assert not where.remove(keys[0])
        assert not where.remove(keys[2], Record("other"))
    assert [where.read(key) for key in keys] == [Record(None, forward=forward), None, Record("old")]


@pytest.mark.usual_limits
@pytest.mark.parametrize("kind", ["no scripts"], indirect=True)
def test_without_scripts_a_server_that_falls_silent_is_not_asked_for_good(kind, mode):
    config = single_of(kind) | {"OPTIONS": {"client_name": f"silent-{mode.name}"}}
    server, key = server_of(config), secrets.token_hex(16)
    where = mode.wrap(type(storage())(server, f"{secrets.token_hex(4)}:"))
    eventually(lambda: where.insert(key, record("old")), redis.RedisError)
    eventually(lambda: where.replace(key, record("old"), None), redis.RedisError)

    def visit():
        with pytest.raises((redis.TimeoutError, redis.WatchError)):
            where.replace(key, record("new"), record("old"))

    with redis.Redis(port=redis_servers.restricted().port) as other:
        other.client_pause(1000 * PATIENCE, all=False)  # EXEC alone
        took = quickest(visit, below=3.5)
        other.client_unpause()
    assert took < 3.5


def single_of(kind):
    return without_scripts()


@pytest.mark.parametrize("kind", ["single"], indirect=True)
def test_a_script_that_the_server_has_forgotten_is_sent_again(kind, mode):
    server = server_of({"URL": f"redis://127.0.0.1:{redis_servers.restricted().port}"})
    where = mode.wrap(type(storage())(server, f"{secrets.token_hex(4)}:"))
    where.insert("k" * 32, record("one"))
    for _ in range(2):
        server.send("SCRIPT FLUSH")
        assert where.replace("k" * 32, record("one"), None)
        assert server.client.script_exists(DIGEST) == [True]
    where.remove("k" * 32)


# Event loops


def sockets():
    """The sockets that this process has open."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


@pytest.fixture
def stored(kind):
    session = SessionStore()
    session["colour"] = "green"
    session.save()
    return session.session_key


async def read(key):
    return await SessionStore(key).aget("colour")


def test_each_event_loop_has_a_client_that_is_closed_with_it(kind, stored):
    async_to_sync(read)(stored)
    gc.collect()
    before, loops = sockets(), storage().server._loops._clients
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(20):
            assert async_to_sync(read)(stored) == "green"
            assert asyncio.run(read(stored)) == "green"
        gc.collect()
    assert sockets() <= before
    assert loops == {}


def test_a_loop_uses_its_client_again(kind, stored):
    async def many():
        server = storage().server
        clients = {id((server._loops.find() or await server._loops.open()).redis) for _ in range(3)}
        assert await asyncio.gather(*(read(stored) for _ in range(50))) == ["green"] * 50
        return clients

    assert len(asyncio.run(many())) == 1


@of_one_server
def test_a_loop_that_was_closed_without_notice_is_forgotten(kind, stored):
    loop = asyncio.new_event_loop()
    loop.run_until_complete(read(stored))
    clients = storage().server._loops._clients
    assert set(clients) == {loop}
    loop.run_until_complete(clients[loop].redis.aclose())  # what the test owes to the machine
    loop.close()
    assert asyncio.run(read(stored)) == "green"
    assert clients == {}


@of_one_server
@pytest.mark.parametrize("is_in_url", [False, True])
def test_more_tasks_than_connections_wait_for_their_turn(kind, stored, is_in_url):
    async def many():
        url = single()["URL"]
        limited = {"URL": url, "OPTIONS": {"max_connections": 3}}
        server = server_of({"URL": f"{url}?max_connections=3"} if is_in_url else limited)
        where = type(storage())(server, storage()._prefix)
        return await asyncio.gather(*(where.aread(stored) for _ in range(50)))

    assert len({found.payload for found in asyncio.run(many())}) == 1


@pytest.mark.parametrize(
    ("text", "is_about_scripts"),
    [
        ("NOPERM User sessions has no permissions to run the 'evalsha' command", True),
        ("unknown command `EVALSHA`, with args beginning with: ", True),
        ("ERR command EVAL is not allowed", True),
        ("NOPERM User retrieval has no permissions to run the 'set' command", False),
        ("OOM command not allowed when used memory > 'maxmemory'.", False),
    ],
)
def test_a_refusal_of_scripts_names_their_command(text, is_about_scripts):
    assert refuses_scripts(redis.exceptions.ResponseError(text)) == is_about_scripts


@of_one_server
def test_a_crowd_is_answered_a_hundred_at_a_time(kind, stored):
    async def many():
        await read(stored)  # so that they find the client of the loop at one time
        with round_trips() as trips:
            found = await asyncio.gather(*(storage().aread(stored) for _ in range(250)))
        return {record.payload for record in found}, len(trips)

    payloads, trips = asyncio.run(many())
    assert (len(payloads), trips) == (1, 3)


def test_a_command_that_was_cancelled_never_leaves_its_answer_to_the_next(kind, settings):
    settings.SESSION_CONFLICT_TIMEOUT = 60

    async def disturb():
        where = storage()
        keys = {secrets.token_hex(16): f"payload {n}" for n in range(8)}
        for key, payload in keys.items():
            await where.ainsert(key, record(payload))
        wrong = []

        async def visit(key, payload):
            for _ in range(12):
                found = await where.aread(key)
                if found is None or found.payload != payload:
                    wrong.append((payload, found))
                await where.areplace(key, record(payload), found)

        async def cancelled(key, payload):
            task = asyncio.create_task(visit(key, payload))
            await asyncio.sleep(random.uniform(0, 0.01))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        for _ in range(12):
            await asyncio.gather(*(cancelled(*item) for item in keys.items()))
        await asyncio.gather(*(visit(*item) for item in keys.items()))
        return wrong

    assert asyncio.run(disturb()) == []


# Commands that come together


async def together(keys):
    return await asyncio.gather(*map(storage().aread, keys), return_exceptions=True)


@of_one_server
def test_what_tasks_ask_for_at_one_time_is_one_round_trip_and_each_gets_its_own_answer(kind):
    async def visit():
        payloads = {secrets.token_hex(16): f"payload {n}" for n in range(8)}
        for key, payload in payloads.items():
            await storage().ainsert(key, record(payload))
        with round_trips() as trips:
            found = await together([*payloads, "nobody"])
        return trips, [each and each.payload for each in found], [*payloads.values(), None]

    trips, found, stored = asyncio.run(visit())
    assert found == stored
    assert len(trips) == 1


@of_one_server
def test_what_redis_refuses_one_task_is_not_the_others_error(kind, stored):
    where = storage()
    where.server.send("RPUSH", where.name_of("list"), 1)

    async def visit():
        refused, read = await together(["list", stored])
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            raise refused
        assert read.payload

    asyncio.run(visit())
    where.server.send("DEL", where.name_of("list"))


def test_a_failure_is_an_error_of_each_task_s_own():
    with override_settings(SESSION_REDIS={"URL": "redis://127.0.0.1:1"}):
        errors = asyncio.run(together(["a", "b", "c"]))
    assert [type(error) for error in errors] == [redis.ConnectionError] * 3
    assert len(set(map(id, errors))) == 3
    assert {str(error) for error in errors} == {str(errors[0].__cause__)}


@of_one_server
def test_a_task_that_is_cancelled_takes_no_answer_from_the_others(kind, stored):
    async def visit():
        leaving, staying = (asyncio.create_task(read(stored)) for _ in range(2))
        with round_trips() as trips:
            while not trips:  # noqa: ASYNC110 - what is waited for sets no event
                await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
        return leaving.cancelled(), await staying

    assert asyncio.run(visit()) == (True, "green")


def test_a_loop_that_ends_waits_for_no_answer(silent):
    async def leave():
        task = asyncio.create_task(storage().aread("k" * 32))
        await asyncio.sleep(0.01)
        return task

    config = {"URL": f"redis://127.0.0.1:{silent}", "OPTIONS": PATIENT}
    with override_settings(SESSION_REDIS=config):
        began = time.monotonic()
        assert asyncio.run(leave()).cancelled()
        assert time.monotonic() - began < PATIENT["socket_timeout"] / 2


@of_one_server
def test_a_loop_that_ends_before_anything_was_sent_leaves_no_task(kind, stored, caplog):
    async def leave():
        return asyncio.create_task(storage().aread(stored))

    assert asyncio.run(leave()).cancelled()
    gc.collect()
    assert not caplog.records


class OddError(Exception):
    """Is made of something else than it keeps."""

    def __init__(self, answer):
        super().__init__(answer.text)


def test_nobody_waits_for_good_for_an_error_that_cannot_be_copied(monkeypatch):
    class Answer:
        text = "no"

    async def fail(*_, **__):
        raise OddError(Answer)

    async def visit():
        async with asyncio.timeout(PATIENCE):
            return await together(["a", "b"])

    monkeypatch.setattr(redis.asyncio.client.Pipeline, "execute", fail)
    with override_settings(SESSION_REDIS={"URL": "redis://127.0.0.1:1"}):
        assert [type(error) for error in asyncio.run(visit())] == [OddError] * 2


# Threads and processes


@of_one_server
def test_a_process_that_was_forked_off_has_connections_of_its_own(kind, stored):
    assert SessionStore(stored)["colour"] == "green"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads
        child = os.fork()
    if not child:
        try:
            fine = all(SessionStore(stored)["colour"] == "green" for _ in range(50))
            os._exit(0 if fine and asyncio.run(read(stored)) == "green" else 1)
        finally:
            os._exit(2)
    for _ in range(50):
        assert SessionStore(stored)["colour"] == "green"
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# Time


@pytest.fixture
def silent():
    """A server that accepts and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


@pytest.mark.usual_limits
def test_a_silent_server_costs_a_second_at_most(silent, mode):
    with override_settings(SESSION_REDIS={"URL": f"redis://127.0.0.1:{silent}"}):

        def visit():
            with pytest.raises(redis.TimeoutError):
                mode.wrap(SessionStore("k" * 32)).get("colour")

        assert quickest(visit, below=1.2) < 1.2  # of which 0.2 are the machine's


@pytest.mark.usual_limits
def test_a_server_that_falls_silent_costs_a_second_at_most(mode):
    way = Proxy(redis_servers.needed(redis_servers.restricted))
    config = {"URL": f"redis://127.0.0.1:{way.port}"}
    with override_settings(SESSION_REDIS=config), closing(way):
        session = mode.wrap(SessionStore())
        eventually(session.save, redis.RedisError)

        def visit():
            with pytest.raises(redis.TimeoutError):
                session.load()

        way.silence()
        assert quickest(visit, below=1.2) < 1.2
        way.restore()
        eventually(session.flush, redis.RedisError)


@pytest.mark.slow
@pytest.mark.usual_limits
@pytest.mark.parametrize("is_silent", [False, True])
def test_a_sentinel_that_is_down_leaves_time_for_the_others(silent, mode, is_silent):
    watcher, _ = redis_servers.needed(redis_servers.sentinel)
    down = silent if is_silent else 1
    sentinels = [f"127.0.0.1:{port}" for port in (down, 1, watcher.port)]
    config = {
        "SENTINEL": {"SENTINELS": sentinels, "SERVICE": redis_servers.SERVICE},
        "OPTIONS": {"client_name": f"{mode.name}-{is_silent}"},
    }
    with override_settings(SESSION_REDIS=config):
        assert eventually(mode.wrap(SessionStore("k" * 32)).load, redis.RedisError) == {}


@pytest.fixture
def hanging_up():
    """A server that hangs up when a session is read; and what it was sent then."""
    sent = []

    class HangUp(socketserver.BaseRequestHandler):
        def handle(self):
            while b"GET" not in (said := self.request.recv(4096)):
                self.request.sendall(b"+OK\r\n" * said.count(b"SETINFO"))
            sent.append(said)

    with socketserver.TCPServer(("127.0.0.1", 0), HangUp) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1], sent
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("retries", [None, 0, 2])
def test_a_command_whose_connection_failed_is_sent_again(hanging_up, mode, retries):
    port, sent = hanging_up
    options = {"protocol": 2} | ({} if retries is None else {"retries": retries})
    config = {"URL": f"redis://127.0.0.1:{port}", "OPTIONS": options}
    with override_settings(SESSION_REDIS=config), pytest.raises(redis.ConnectionError):
        mode.wrap(SessionStore("k" * 32)).load()
    assert len(sent) == 1 + (1 if retries is None else retries)


def test_a_server_that_is_not_there_is_told_at_once(mode):
    with override_settings(SESSION_REDIS={"URL": "redis://127.0.0.1:1"}):
        session = mode.wrap(SessionStore("k" * 32))

        def visit():
            with pytest.raises(redis.ConnectionError):
                session.get("colour")

        assert quickest(visit, below=0.5) < 0.5
        assert session.raw._session_key == "k" * 32


# Settings


def test_threads_that_wait_for_a_cluster_that_is_down_are_told_together(monkeypatch):
    tried, all_here = [], threading.Barrier(6)

    def fail(**options):
        tried.append(options)
        time.sleep(1)
        raise redis.exceptions.RedisClusterException("nobody answers")

    def visit(_):
        all_here.wait()
        with pytest.raises(redis.exceptions.RedisClusterException, match="nobody answers"):
            SessionStore("k" * 32).load()

    monkeypatch.setattr(redis, "RedisCluster", fail)
    with override_settings(SESSION_REDIS={"CLUSTER": ["127.0.0.1:1"]}):
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(visit, range(6)))
        assert len(tried) < 6
        with pytest.raises(redis.exceptions.RedisClusterException):
            SessionStore("k" * 32).load()  # tried anew, as nobody else does
        assert len(tried) > 1


class Untold(Exception):
    """What cannot be copied, as it takes other arguments than it keeps."""

    def __init__(self, code, place):
        super().__init__(f"{code} at {place}")


class Local:
    """What a request has in a variable."""


def make_nothing():
    """A function of the site's that makes no client."""


def test_an_error_of_a_function_of_the_site_s_is_told_as_it_is_and_not_kept(monkeypatch):
    seen = []

    def fail():
        local = Local()
        seen.append(weakref.ref(local))
        raise Untold(3, "the vault") from LookupError("no password")

    monkeypatch.setattr(f"{__name__}.make_nothing", fail)
    names = dict.fromkeys(("CLIENT", "ASYNC_CLIENT"), f"{__name__}.make_nothing")
    with override_settings(SESSION_REDIS=names):
        for _ in range(2):
            with pytest.raises(Untold) as raised:
                SessionStore("k" * 32).load()
            assert isinstance(raised.value.__cause__, LookupError)
            del raised
    gc.collect()
    assert [local() for local in seen] == [None, None]


def test_settings_that_name_no_server_are_refused_with_what_to_write():
    with (
        override_settings(SESSION_REDIS=None),
        pytest.raises(ImproperlyConfigured, match=r"Write SESSION_REDIS = \{'URL': 'redis://"),
    ):
        SessionStore().save()


def test_the_same_settings_have_the_same_server_and_others_another():
    config = {"URL": "redis://127.0.0.1:1/3", "OPTIONS": {"socket_timeout": 1}}
    server = server_of(config)
    assert server_of({**config, "PREFIX": "other:"}) is server
    config["OPTIONS"]["socket_timeout"] = 2
    assert server_of(config) is not server


def test_tls_and_a_socket_are_reached_as_the_url_says():
    for url, kind in (
        ("rediss://127.0.0.1:1", redis.SSLConnection),
        ("unix:///tmp/no-redis.sock?db=2", redis.UnixDomainSocketConnection),
    ):
        with override_settings(SESSION_REDIS={"URL": url}):
            client = storage().server.client
            assert client.connection_pool.connection_class is kind
            with pytest.raises(redis.ConnectionError):
                SessionStore("k" * 32).load()
            with pytest.raises(redis.ConnectionError):
                async_to_sync(SessionStore("k" * 32).aload)()
