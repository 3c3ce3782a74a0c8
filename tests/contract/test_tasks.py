"""Two tasks of one request, and a request that is cancelled."""

import asyncio
import threading
import time

import pytest
from asgiref.sync import ThreadSensitiveContext, async_to_sync, sync_to_async
from django.core.cache import close_caches
from django.db import connections

from tests.contract.moments import after, before
from tests.patience import PATIENCE

pytestmark = [pytest.mark.stores(server_side=True), pytest.mark.modes("async")]


@pytest.fixture
def key(save):
    return save(colour="green", size=3)


def test_what_a_task_writes_while_another_saves_is_in_the_next_save(store, key, reopen):
    session = reopen(key).raw

    async def put_and_save():
        await session.aset("shape", "round")
        with after(store.Storage, "replace", lambda: session.update({"weight": 7})):
            await session.asave()
        await session.asave()

    async_to_sync(put_and_save)()
    expected = {"colour": "green", "size": 3, "shape": "round", "weight": 7}
    assert dict(reopen(key).items()) == expected


def test_nor_is_it_lost_when_that_save_meets_another_request(store, key, reopen):
    session = reopen(key).raw

    def other_request():
        other = store.SessionStore(key)
        other["colour"] = "red"
        other.save()

    async def put_and_save():
        await session.aset("shape", "round")
        with (
            before(store.Storage, "replace", other_request),
            after(store.Storage, "read_latest", lambda: session.update({"size": 4})),
        ):
            await session.asave()
        await session.asave()

    async_to_sync(put_and_save)()
    assert dict(reopen(key).items()) == {"colour": "red", "size": 4, "shape": "round"}


def test_tasks_that_all_write_and_save_keep_everything(key, reopen):
    session = reopen(key).raw

    async def put(number):
        await session.aset(f"task{number}", number)
        await session.asave()

    async def tasks():
        await asyncio.gather(*(put(number) for number in range(8)))

    async_to_sync(tasks)()
    tasks_done = {f"task{number}": number for number in range(8)}
    assert dict(reopen(key).items()) == {"colour": "green", "size": 3, **tasks_done}


def test_a_new_session_that_two_tasks_save_is_one(new, reopen):
    session = new().raw

    async def put(number):
        await session.aset(f"task{number}", number)
        await session.asave()

    async def tasks():
        await asyncio.gather(*(put(number) for number in range(4)))

    async_to_sync(tasks)()
    stored = dict(reopen(session.session_key).items())
    assert stored == {f"task{number}": number for number in range(4)}


def test_sync_code_that_waits_for_a_task_waits_for_no_task_that_waits_for_it(key, reopen):
    session = reopen(key).raw

    async def colour():
        return await session.aget("colour")

    def sync_part_of_the_site(loop, waiting):
        loop.call_soon_threadsafe(waiting.set)
        time.sleep(0.2)  # until the other task's load stands in line for this thread
        return async_to_sync(colour)()

    def end_of_the_thread():
        connections.close_all()
        close_caches()

    async def tasks():
        loop, waiting = asyncio.get_running_loop(), asyncio.Event()

        async def another_task():
            await waiting.wait()
            return await session.aget("colour")

        async with ThreadSensitiveContext():
            part = sync_to_async(sync_part_of_the_site)(loop, waiting)
            seen = await asyncio.wait_for(asyncio.gather(part, another_task()), PATIENCE)
            await sync_to_async(end_of_the_thread)()
        return seen

    assert asyncio.run(tasks()) == ["green", "green"]


def test_a_request_cancelled_while_it_saves_leaves_the_session_whole(store, key, reopen):
    session = reopen(key).raw
    about_to_write, go_on = threading.Event(), threading.Event()

    def wait():
        about_to_write.set()
        assert go_on.wait(PATIENCE)

    async def request():
        await session.aset("shape", "round")
        await session.asave()

    async def serve():
        with before(store.Storage, "replace", wait):
            task = asyncio.create_task(request())
            assert await asyncio.to_thread(about_to_write.wait, PATIENCE)
            task.cancel()
            go_on.set()
            with pytest.raises(asyncio.CancelledError):
                await task

    async_to_sync(serve)()
    assert dict(reopen(key).items()) in (
        {"colour": "green", "size": 3},
        {"colour": "green", "size": 3, "shape": "round"},
    )
