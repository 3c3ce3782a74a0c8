"""Two requests, or two tasks of one request, with the same session at the same time.

The tests act between the load and the save of the other, one after another: no threads, no luck.
"""

import asyncio

import pytest
from asgiref.sync import async_to_sync

from dj_sessions.exceptions import UpdateError
from tests.contract.traffic import traffic
from tests.counters import thread_hops

pytestmark = pytest.mark.stores(server_side=True)


@pytest.fixture
def two(save, reopen):
    """Two requests that have both loaded the session {"colour": "green", "size": 3}."""
    key = save(colour="green", size=3)
    requests = reopen(key), reopen(key)
    for request in requests:
        assert request.get("colour") == "green"
    return requests


def stored(session, reopen):
    return dict(reopen(session.session_key).items())


def test_different_keys_are_both_kept(two, reopen):
    one, other = two
    one.set("shape", "round")
    other.set("weight", 7)
    one.save()
    other.save()
    assert stored(one, reopen) == {"colour": "green", "size": 3, "shape": "round", "weight": 7}


def test_a_saved_session_knows_what_the_other_saved(two):
    one, other = two
    one.set("shape", "round")
    other.set("weight", 7)
    one.save()
    other.save()
    assert dict(other.items()) == {"colour": "green", "size": 3, "shape": "round", "weight": 7}


def test_for_the_same_key_the_later_save_wins(two, reopen):
    one, other = two
    one.set("colour", "red")
    other.set("colour", "blue")
    one.save()
    other.save()
    assert stored(one, reopen) == {"colour": "blue", "size": 3}


def test_what_one_removes_stays_removed_and_what_the_other_changes_is_changed(two, reopen):
    one, other = two
    one.pop("colour")
    other.set("size", 4)
    one.save()
    other.save()
    assert stored(one, reopen) == {"size": 4}


def test_what_the_later_save_removes_is_removed_from_what_the_other_changed(two, reopen):
    one, other = two
    one.set("size", 4)
    other.pop("colour")
    one.save()
    other.save()
    assert stored(one, reopen) == {"size": 4}


def test_a_key_that_both_remove_is_removed(two, reopen):
    one, other = two
    one.pop("colour")
    other.pop("colour")
    one.save()
    other.save()
    assert stored(one, reopen) == {"size": 3}


def test_saving_without_a_change_takes_nothing_back(two, reopen):
    one, other = two
    one.set("colour", "red")
    one.save()
    other.save()
    assert stored(one, reopen) == {"colour": "red", "size": 3}


def test_both_may_save_again_and_again(two, reopen):
    one, other = two
    for number in range(3):
        one.set(f"one{number}", number)
        one.save()
        other.set(f"other{number}", number)
        other.save()
    assert len(stored(one, reopen)) == 2 + 6


def test_a_nested_value_that_one_changed_outlives_the_save_of_the_other(save, reopen):
    key = save(cart=["apple"], size=3)
    one, other = reopen(key), reopen(key)
    one.get("cart").append("pear")
    one.modified = True
    other.set("size", 4)
    one.save()
    other.save()
    assert stored(one, reopen) == {"cart": ["apple", "pear"], "size": 4}


def test_clear_replaces_what_the_other_saved(two, reopen):
    one, other = two
    one.set("shape", "round")
    other.clear()
    other.set("only", "this")
    one.save()
    other.save()
    assert stored(one, reopen) == {"only": "this"}


def test_the_expiry_that_one_sets_is_kept(two, reopen):
    one, other = two
    one.set_expiry(100)
    other.set("shape", "round")
    one.save()
    other.save()
    assert reopen(one.session_key).get_expiry_age() == 100


def test_the_key_of_a_login_has_nothing_of_a_save_that_came_too_late(two, reopen):
    one, other = two
    one.cycle_key()
    one.set("user", "ada")
    other.set("colour", "red")
    with pytest.raises(UpdateError):
        other.save()
    one.save()
    assert stored(one, reopen) == {"colour": "green", "size": 3, "user": "ada"}


@pytest.mark.modes("async")
def test_tasks_of_one_request_share_one_load(store, save, reopen):
    session = reopen(save(colour="green")).raw

    async def tasks():
        return await asyncio.gather(*(session.aget("colour") for _ in range(5)))

    with traffic(store) as said, thread_hops() as hops:
        assert async_to_sync(tasks)() == ["green"] * 5
    assert len(hops) == store.hops
    assert len(said.all) <= 1  # Memcached and Redis, a row, a file: one question


@pytest.mark.modes("async")
def test_tasks_of_one_request_lose_nothing(save, reopen):
    session = reopen(save(colour="green")).raw

    async def put(number):
        await session.aset(f"task{number}", number)

    async def tasks():
        await asyncio.gather(*(put(number) for number in range(5)))
        await session.asave()

    async_to_sync(tasks)()
    assert dict(reopen(session.session_key).items()) == {
        "colour": "green",
        **{f"task{number}": number for number in range(5)},
    }


@pytest.mark.modes("async")
def test_a_task_that_clears_while_another_loads_has_the_last_word(save, reopen):
    session = reopen(save(colour="green")).raw

    async def clear():
        session.clear()

    async def tasks():
        await asyncio.gather(session.aget("colour"), clear())
        return dict(await session.aitems())

    assert async_to_sync(tasks)() == {}


@pytest.mark.modes("async")
def test_a_load_that_fails_fails_for_every_task_and_can_be_tried_again(store, save):
    failures = [OSError("the store is away")]

    def load(self):
        if failures:
            raise failures[0]
        return store.SessionStore.load(self)

    # By the name of the class, which is in its signatures, it reads what the other wrote.
    session = type("SessionStore", (store.SessionStore,), {"load": load})(save(colour="green"))

    async def tasks():
        get = (session.aget("colour") for _ in range(3))
        return await asyncio.gather(*get, return_exceptions=True)

    assert async_to_sync(tasks)() == failures * 3
    failures.clear()
    assert async_to_sync(tasks)() == ["green"] * 3


@pytest.mark.modes("async")
def test_a_task_that_is_cancelled_while_it_loads_leaves_the_others_their_load(save, reopen):
    session = reopen(save(colour="green")).raw

    async def tasks():
        first = asyncio.create_task(session.aget("colour"))
        second = asyncio.create_task(session.aget("colour"))
        await asyncio.sleep(0)
        first.cancel()
        colour = await second
        assert first.cancelled()
        return colour

    assert async_to_sync(tasks)() == "green"
