"""Async requests: the event loop never waits for a store, and threads are asked once at most."""

import asyncio
import os
import sys
from contextlib import ExitStack, contextmanager
from functools import wraps
from unittest import mock

import pytest
from asgiref.sync import async_to_sync
from django.core.cache.backends.locmem import LocMemCache
from django.db.backends.utils import CursorWrapper

from dj_sessions.middleware import SessionMiddleware
from dj_sessions.storage.caches.locmem import LocMemAdapter
from tests.contract import traffic as file_traffic
from tests.contract.visits import pass_through
from tests.counters import LOCAL_ADAPTER_METHODS, thread_hops

pytestmark = pytest.mark.modes("async")


def storage_calls(store):
    """The methods through which everything that is said to this store goes."""
    if store.kind in ("db", "cached_db"):
        yield CursorWrapper, "_execute_with_wrappers"
    if store.cache in ("redis", "django_redis") or store.case.needs_redis:
        yield sys.modules["redis.connection"].AbstractConnection, "send_packed_command"
    if store.cache == "memcached":
        client = sys.modules["pymemcache.client.base"].Client
        yield from ((client, name) for name in ("_fetch_cmd", "_store_cmd", "_misc_cmd"))
    if store.cache == "default":
        for name in ("add", "get", "set", "delete", "has_key"):
            yield LocMemCache, name
        for name in LOCAL_ADAPTER_METHODS:
            yield LocMemAdapter, name
    if store.kind == "file":
        # Every opening, renaming and removing of a file passes the first, whatever calls it.
        yield file_traffic, "note_file"
        yield os, "lstat"


@contextmanager
def where_storage_is_called(store):
    """Collect for each call to the store whether an event loop was running in its thread."""
    in_loop = []

    def watch(owner, name):
        original = getattr(owner, name)

        @wraps(original)
        def watched(*args, **kwargs):
            if owner is not os or str(args[0]).startswith(str(store.path)):
                in_loop.append(asyncio._get_running_loop() is not None)
            return original(*args, **kwargs)

        return mock.patch.object(owner, name, watched)

    with ExitStack() as stack:
        stack.enter_context(file_traffic.traffic(store))
        for owner, name in storage_calls(store):
            stack.enter_context(watch(owner, name))
        yield in_loop


DEEDS = {
    "get": lambda s: s.aget("colour"),
    "set": lambda s: s.aset("colour", "red"),
    "update": lambda s: s.aupdate({"colour": "red"}),
    "setdefault": lambda s: s.asetdefault("colour", "red"),
    "pop": lambda s: s.apop("colour"),
    "has_key": lambda s: s.ahas_key("colour"),
    "keys": lambda s: s.akeys(),
    "values": lambda s: s.avalues(),
    "items": lambda s: s.aitems(),
    "set_test_cookie": lambda s: s.aset_test_cookie(),
    "test_cookie_worked": lambda s: s.atest_cookie_worked(),
    "delete_test_cookie": lambda s: s.adelete_test_cookie(),
    "get_expiry_age": lambda s: s.aget_expiry_age(),
    "get_expiry_date": lambda s: s.aget_expiry_date(),
    "set_expiry": lambda s: s.aset_expiry(100),
    "get_expire_at_browser_close": lambda s: s.aget_expire_at_browser_close(),
    "load": lambda s: s.aload(),
    "save": lambda s: s.asave(),
    "create": lambda s: s.acreate(),
    "exists": lambda s: s.aexists(s.session_key),
    "cycle_key": lambda s: s.acycle_key(),
    "flush": lambda s: s.aflush(),
    "delete": lambda s: s.adelete(),
}


@pytest.mark.stores(server_side=True)
def test_no_async_method_asks_the_store_from_the_event_loop(store, save, reopen):
    for deed, act in DEEDS.items():
        session = reopen(save(colour="green", testcookie="worked")).raw

        async def run(act=act, session=session):
            return await act(session)

        with where_storage_is_called(store) as in_loop:
            async_to_sync(run)()
        assert bool(in_loop) is not store.is_native, f"{deed}: {in_loop}"
        assert not any(in_loop), deed


@pytest.mark.stores("db", "file")
def test_clearing_asks_the_store_from_no_event_loop(store, save):
    save(colour="green")

    async def clear():
        await store.SessionStore.aclear_expired()

    with where_storage_is_called(store) as in_loop:
        async_to_sync(clear)()
    assert in_loop
    assert not any(in_loop)


@pytest.mark.usefixtures("unlisted")
def test_each_deed_is_one_hop_for_all_that_it_asks(store, save, reopen):
    for deed, act in DEEDS.items():
        session = reopen(save(colour="green", testcookie="worked")).raw

        async def run(act=act, session=session):
            return await act(session)

        with thread_hops() as hops:
            async_to_sync(run)()
        assert len(hops) == store.hops, (deed, hops)


@pytest.mark.usefixtures("unlisted")
def test_a_request_hops_for_what_it_does(store, mode, save):
    def get(session):
        return session.get("colour")

    def change(session):
        return session.set("colour", "red")

    def log_out(session):
        return session.flush()

    def log_in(session):
        return session.cycle_key()

    stored, new = True, False
    for steps, visitor, expected in (
        ([], stored, 0),
        ([], new, 0),
        ([get], stored, 1),
        ([get], new, 0),
        ([get, get], stored, 1),
        ([change], stored, 2),
        ([get, change, change], stored, 2),
        ([change], new, 1),
        ([log_in], stored, 2),
        ([log_out], stored, 1),
    ):
        key = save(colour="green") if visitor is stored else None
        with thread_hops() as hops:
            pass_through(SessionMiddleware, mode, *steps, cookie=key)
        names = [step.__name__ for step in steps]
        assert len(hops) == expected * store.hops, (names, visitor, hops)


# What tests and tracers replace


@pytest.mark.parametrize("name", ["load", "create", "save", "exists", "delete", "cycle_key"])
def test_a_sync_method_that_was_replaced_is_reached(store, mode, name):
    session = store.SessionStore()
    arguments = ["abcdefgh"] if name == "exists" else []
    with mock.patch.object(store.SessionStore, name) as mocked:
        answer = async_to_sync(getattr(session, f"a{name}"))(*arguments)
    mocked.assert_called_once_with(*arguments)
    assert answer is mocked.return_value
