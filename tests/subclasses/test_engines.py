"""Engines that share nothing with ours but SessionBase, or bring a storage of their own."""

from __future__ import annotations

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.core.management import CommandError, call_command
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from dj_sessions.backends.base import CreateError, UpdateError
from dj_sessions.middleware import SessionMiddleware
from tests.counters import thread_hops
from tests.subclasses import engines

pytestmark = pytest.mark.stores("db", database="sqlite")  # for the users alone

BOTH_MODES = {
    "memory": engines.path,
    "memory, as on Django": engines.stock_path,
    "stored": engines.path,
    "mixed_stored": engines.path,
}
ASYNC_ALONE = {
    "native": engines.path,
    "native, as on Django": engines.stock_path,
    "native_stored": engines.path,
}


def load(engine, request):
    name = request.param.partition(",")[0]
    return engine({**BOTH_MODES, **ASYNC_ALONE}[request.param](name))


@pytest.fixture(params=BOTH_MODES)
def SessionStore(request, engine):
    return load(engine, request)


@pytest.fixture(params=ASYNC_ALONE)
def NativeStore(request, engine):
    return load(engine, request)


def serves_a_session(SessionStore, browser):
    browser.visit("write", colour="green")
    before = browser.key
    browser.visit("log_in", user="ada")
    assert [*SessionStore.records] == [browser.key] != [before]
    answer = browser.visit("who").json()
    assert (answer["user"], answer["data"]["colour"]) == ("ada", "green")
    browser.visit("log_out")
    assert SessionStore.records == {}
    assert browser.visit("who").json() == {"user": "", "data": {}}


def test_an_engine_serves_a_session_from_first_value_to_logout(SessionStore, browser, user):
    serves_a_session(SessionStore, browser)


@pytest.mark.modes("async")
def test_an_engine_that_is_async_alone_serves_a_session_too(NativeStore, browser, user):
    serves_a_session(NativeStore, browser)


def test_an_engine_that_is_async_alone_never_leaves_the_event_loop(NativeStore):
    async def view(request):
        await request.session.aset("colour", "green")
        return HttpResponse()

    async def serve_twice():
        serve = SessionMiddleware(view)
        request = RequestFactory().get("/")
        response = await serve(request)
        request.COOKIES = {name: morsel.value for name, morsel in response.cookies.items()}
        return await serve(request)

    with thread_hops() as hops:
        async_to_sync(serve_twice)()
    assert hops == []


@pytest.mark.modes("sync")
def test_an_engine_that_is_async_alone_says_in_sync_which_method_is_missing(NativeStore, browser):
    with pytest.raises(NotImplementedError):
        browser.visit("write", colour="green")


def test_a_key_is_taken_once_and_what_is_gone_cannot_be_saved(SessionStore, mode):
    session = mode.wrap(SessionStore())
    session.set("colour", "green")
    session.save()
    with pytest.raises(CreateError):
        session.save(must_create=True)
    mode.wrap(SessionStore()).delete(session.session_key)
    with pytest.raises(UpdateError):
        session.save()


def test_a_session_that_ends_during_its_request_interrupts_it(SessionStore, browser, mode):
    browser.visit("write", colour="green")
    assert browser.client.get(mode.url("write_after_the_end")).status_code == 400


def test_the_base_s_own_methods_work_over_an_engine_of_five_methods(SessionStore, mode):
    session = mode.wrap(SessionStore())
    session.set_expiry(100)
    session.set_test_cookie()
    session.save()
    before = session.session_key
    session.cycle_key()
    assert session.session_key != before
    assert not mode.wrap(SessionStore()).exists(before)
    again = mode.wrap(SessionStore(session.session_key))
    assert again.test_cookie_worked()
    assert again.get_expiry_age() == 100
    again.flush()
    assert again.session_key is None
    assert not mode.wrap(SessionStore()).exists(session.session_key)


def test_clearsessions_clears_the_engine(SessionStore, mode):
    session = mode.wrap(SessionStore())
    session.set_expiry(timezone.now() - timedelta(seconds=1))
    session.save()
    call_command("clearsessions")
    assert SessionStore.records == {}


def test_clearsessions_says_that_an_engine_cannot(NativeStore):
    with pytest.raises(CommandError, match=NativeStore.__module__):
        call_command("clearsessions")


# A storage alone: sync, async, both


@pytest.fixture(params=["stored", "native_stored", "mixed_stored"])
def StoredStore(request, engine, mode):
    if request.param == "native_stored" and not mode.is_async:
        pytest.skip("its storage is async alone")
    return engine(engines.path(request.param))


def saved(mode, StoredStore, **data):
    session = mode.wrap(StoredStore())
    session.update(data)
    session.save()
    return session


def test_two_requests_changes_are_merged_over_a_storage(StoredStore, mode):
    first = saved(mode, StoredStore, a=1)
    second = mode.wrap(StoredStore(first.session_key))
    second.set("b", 2)
    second.save()
    first.set("c", 3)
    first.save()
    assert dict(mode.wrap(StoredStore(first.session_key)).items()) == {"a": 1, "b": 2, "c": 3}


def test_a_session_that_ended_cannot_be_saved_over_a_storage(StoredStore, mode):
    session = saved(mode, StoredStore, a=1)
    mode.wrap(StoredStore()).delete(session.session_key)
    session.set("b", 2)
    with pytest.raises(UpdateError):
        session.save()
    assert StoredStore.records == {}


def test_a_key_exists_over_a_storage_until_it_is_removed(StoredStore, mode):
    session = saved(mode, StoredStore, a=1)
    key = session.session_key
    assert mode.wrap(StoredStore()).exists(key)
    session.flush()
    assert not mode.wrap(StoredStore()).exists(key)


def test_a_key_that_is_taken_is_refused_over_a_storage(StoredStore, mode, monkeypatch):
    taken = saved(mode, StoredStore, a=1).session_key
    keys = iter([taken, "another1"])
    monkeypatch.setattr(StoredStore, "_get_new_session_key", lambda self: next(keys))
    session = saved(mode, StoredStore, b=2)
    assert session.session_key == "another1"
    assert dict(mode.wrap(StoredStore(taken)).items()) == {"a": 1}


def test_a_new_key_takes_the_session_along_over_a_storage(StoredStore, mode):
    session = saved(mode, StoredStore, a=1)
    before = session.session_key
    session.cycle_key()
    assert [*StoredStore.records] == [session.session_key] != [before]
    assert dict(mode.wrap(StoredStore(session.session_key)).items()) == {"a": 1}


@pytest.mark.modes("async")
def test_a_sync_override_of_a_derived_method_is_reached_over_async_ones(StoredStore, mode):
    called = []
    of_storage = type(StoredStore().get_storage())

    class Noting(of_storage):
        def read_latest(self, key):
            called.append("read_latest")
            return self.records.get(key)

        def holds(self, key):
            called.append("holds")
            return key in self.records

        def move(self, key, expected, forward):
            called.append("move")
            return self.records.pop(key, None) is not None

    class NotingStore(StoredStore):
        def get_storage(self):
            return Noting(self.records)

    first = saved(mode, NotingStore, a=1)
    second = mode.wrap(NotingStore(first.session_key))
    second.set("b", 2)
    second.save()
    first.set("c", 3)
    first.save()
    assert mode.wrap(NotingStore()).exists(first.session_key)
    first.cycle_key()
    assert called == ["read_latest", "holds", "move"]
    assert dict(first.items()) == {"a": 1, "b": 2, "c": 3}
