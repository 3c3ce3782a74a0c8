"""Many savers of one session: each save succeeds, none waits for ever, and no work is wasted."""

from __future__ import annotations

import asyncio
import fcntl
import threading
import time
from contextlib import ExitStack
from contextvars import Context

import pytest
from asgiref.sync import ThreadSensitiveContext, async_to_sync, sync_to_async
from django.core.cache import caches
from django.db import connections

from dj_sessions._session import contention
from dj_sessions.exceptions import SessionConflict
from tests import services
from tests.contract.moments import before, instead
from tests.patience import PATIENCE
from tests.stores import in_thread

pytestmark = pytest.mark.stores(server_side=True)

#: Each has a connection of its own, of which PostgreSQL gives a hundred to all tests together.
SAVERS = 32
#: Seconds that a store takes which is not on this machine.
FAR = 0.004


@pytest.fixture
def replaced(store):
    """Put methods in place of the storage's own, until the test ends."""
    with ExitStack() as stack:
        yield lambda name, method: stack.enter_context(instead(store.Storage, name, method))


@pytest.fixture
def connections_of_many():
    """Have one test at a time open so many connections, of all workers and runs on this machine."""
    with (services.run().directory / "connections.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture
def far(store, monkeypatch, replaced, settings, connections_of_many):
    """A store that takes 4 ms for each verb of a save."""
    monkeypatch.setattr(contention, "TURN_TIMEOUT", PATIENCE)  # also on a busy machine
    settings.SESSION_CONFLICT_TIMEOUT = PATIENCE
    attempts = []
    for verb in ("replace", "read_latest"):
        original = getattr(store.Storage, verb)

        def slow(self, *args, original=original, verb=verb):
            attempts.append(verb)
            time.sleep(FAR)
            return original(self, *args)

        replaced(verb, slow)
    return attempts


@pytest.fixture
def key(save):
    return save(base=1)


def close():
    connections.close_all()
    caches.close_all()


@pytest.mark.modes("sync")
def test_savers_in_threads_all_succeed(store, key, far):
    ready = threading.Barrier(SAVERS)
    failed = []

    def saver(number):
        try:
            session = store.SessionStore(key)
            session[f"saver {number}"] = number
            ready.wait()
            session.save()
        except Exception as error:  # noqa: BLE001 # shown below
            failed.append(error)
            ready.abort()
        finally:
            close()

    threads = [threading.Thread(target=saver, args=(number,)) for number in range(SAVERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(store.SessionStore(key).keys()) == 1 + SAVERS
    # One each, and a few that met before there was a queue, or waited too long in it.
    assert far.count("replace") < 2 * SAVERS


@pytest.mark.modes("async")
def test_savers_in_tasks_all_succeed(store, key, far):
    async def saver(number, ready):
        async with ThreadSensitiveContext():  # a request's own thread, as Django's handler has it
            session = store.SessionStore(key)
            try:
                await session.aset(f"saver {number}", number)
                await ready.wait()
                await session.asave()
            except BaseException:
                await ready.abort()
                raise
            finally:
                await sync_to_async(close)()

    async def savers():
        ready = asyncio.Barrier(SAVERS)
        loop = asyncio.get_running_loop()
        done = (
            loop.create_task(saver(number, ready), context=Context()) for number in range(SAVERS)
        )
        return await asyncio.gather(*done, return_exceptions=True)

    assert asyncio.run(savers()) == [None] * SAVERS
    assert len(store.SessionStore(key).keys()) == 1 + SAVERS
    assert far.count("replace") < 2 * SAVERS


def others_save_each_time(store, key):
    """Have another process save the session before each attempt."""
    number = 0

    def save():
        nonlocal number
        number += 1
        other = store.SessionStore(key)
        other["others"] = number
        other.save()

    return save


@pytest.fixture
def never_in_peace(store, key, replaced):
    """A session that somebody else changes before each attempt to save it."""
    original, save = store.Storage.replace, others_save_each_time(store, key)
    inside = threading.local()

    def overtaken(self, *args):
        if not getattr(inside, "other", False):
            in_thread(as_other, inside, save)
        return original(self, *args)

    replaced("replace", overtaken)


def as_other(inside, save):
    inside.other = True
    save()


@pytest.mark.usefixtures("never_in_peace")
def test_attempts_end_when_their_time_is_over(key, reopen, settings):
    settings.SESSION_CONFLICT_TIMEOUT = 0.2
    session = reopen(key)
    session.set("mine", 1)
    with pytest.raises(SessionConflict) as caught:  # and it does not go on for ever
        session.save()
    assert caught.value.attempts >= 1
    assert "mine" not in dict(reopen(key).items())


@pytest.mark.usefixtures("never_in_peace")
def test_the_pauses_grow_and_differ_and_begin_after_the_second_conflict(
    key, reopen, settings, monkeypatch
):
    settings.SESSION_CONFLICT_TIMEOUT = PATIENCE
    asked = []

    def uniform(shortest, longest):
        asked.append((shortest, longest))
        if len(asked) == 4:
            settings.SESSION_CONFLICT_TIMEOUT = 0
        return 0

    monkeypatch.setattr(contention.random, "uniform", uniform)
    session = reopen(key)
    session.set("mine", 1)
    with pytest.raises(SessionConflict) as caught:
        session.save()
    first = contention.FIRST_PAUSE
    assert asked == [(0, first), (0, 2 * first), (0, 4 * first), (0, 8 * first)]
    assert caught.value.attempts == len(asked) + 2


@pytest.mark.modes("async")
@pytest.mark.usefixtures("never_in_peace")
def test_a_pause_holds_up_neither_the_event_loop_nor_the_thread(store, key, settings, monkeypatch):
    settings.SESSION_CONFLICT_TIMEOUT = PATIENCE
    paused, slept = [], []
    original = asyncio.sleep

    async def sleep(seconds):
        paused.append(seconds)
        if len(paused) == 2:
            settings.SESSION_CONFLICT_TIMEOUT = 0
        await original(0)

    async def save():
        session = store.SessionStore(key)
        await session.aset("mine", 1)
        await session.asave()

    monkeypatch.setattr(contention.asyncio, "sleep", sleep)
    monkeypatch.setattr(contention.time, "sleep", slept.append)
    with pytest.raises(SessionConflict):
        async_to_sync(save)()
    assert len(paused) == 2
    assert slept == []


def test_a_saver_goes_on_if_the_one_before_it_does_not(store, key, reopen):
    """As where that one waits for a row that this one's transaction holds."""
    session = reopen(key)
    session.set("mine", 1)

    def save_too():
        other = store.SessionStore(key)
        other["others"] = 1
        other.save()

    with before(store.Storage, "replace", save_too):
        session.save()
    assert dict(reopen(key).items()) == {"base": 1, "mine": 1, "others": 1}


def test_nothing_of_a_queue_is_left(key, reopen):
    session = reopen(key)
    session.set("mine", 1)
    session.save()
    assert key not in contention._turns.taken


@pytest.mark.modes("async")
def test_a_saver_that_is_cancelled_while_it_waits_leaves_the_queue(store, key, monkeypatch):
    monkeypatch.setattr(contention, "TURN_TIMEOUT", PATIENCE)
    turn = contention.first_turn(key)
    turn.thread = 0

    async def wait_in_vain():
        session = store.SessionStore(key)
        await session.aset("mine", 1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(session.asave(), 0.2)

    async_to_sync(wait_in_vain)()
    assert not turn.waiting
    turn.leave()
    assert key not in contention._turns.taken


def test_a_process_that_ends_while_a_saver_pauses_leaves_no_queue(
    store, key, reopen, never_in_peace, monkeypatch
):
    def end(*interval):
        raise SystemExit

    monkeypatch.setattr(contention.random, "uniform", end)
    session = reopen(key)
    session.set("mine", 1)
    with pytest.raises(SystemExit):
        session.save()
    assert key not in contention._turns.taken
