"""The storage of the cache engine, without a session."""

from __future__ import annotations

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.core.cache import caches
from django.utils import timezone

from dj_sessions._codec import forwards
from dj_sessions.exceptions import SessionEncodeError
from dj_sessions.storage.base import Record
from dj_sessions.storage.caches import adapter_of
from dj_sessions.storage.caches.storage import CacheStorage

pytestmark = pytest.mark.stores("cache")

KEY, OTHER = "a" * 32, "b" * 32


@pytest.fixture
def storage(store):
    return CacheStorage(caches[store.cache], lambda key: f"prefix{key}")


def record(storage, *, age=60, **data):
    now = timezone.now()
    return Record(storage.encode(data), now + timedelta(seconds=age), now)


def data_of(storage, key):
    found = storage.read(key)
    return None if found is None else storage.decode(found.payload)


def test_a_record_is_stored_once_and_under_its_name(store, storage):
    assert storage.read(KEY) is None
    assert not storage.holds(KEY)
    assert storage.insert(KEY, record(storage, colour="green"))
    assert not storage.insert(KEY, record(storage, colour="red"))
    assert storage.holds(KEY)
    assert data_of(storage, KEY) == {"colour": "green"}
    assert caches[store.cache].get(f"prefix{KEY}") == {"colour": "green"}


def test_a_record_is_replaced_and_removed_where_it_is_as_expected(storage):
    storage.insert(KEY, record(storage, colour="green"))
    seen = storage.read(KEY)
    assert storage.replace(KEY, record(storage, colour="red"), seen)
    assert not storage.replace(KEY, record(storage, colour="blue"), seen)
    assert not storage.remove(KEY, seen)
    assert storage.replace(KEY, record(storage, colour="blue"), None)
    assert data_of(storage, KEY) == {"colour": "blue"}
    assert storage.remove(KEY, storage.read(KEY))
    assert not storage.remove(KEY)
    assert not storage.replace(KEY, record(storage, colour="red"), None)


def test_a_record_ends_with_its_age(storage):
    storage.insert(KEY, record(storage, colour="green"))
    assert storage.replace(KEY, record(storage, age=0, colour="red"), None)
    assert storage.read(KEY) is None
    assert storage.forgets_expired
    assert storage.purge(timezone.now(), 500) == 0


def test_what_moved_is_read_as_a_forward(storage):
    storage.insert(KEY, record(storage, colour="green"))
    text = forwards.make(KEY, OTHER)
    assert not storage.move(KEY, record(storage, colour="red"), text)
    assert storage.move(KEY, storage.read(KEY), text)
    found = storage.read(KEY)
    assert (found.payload, found.forward) == (None, text)
    assert forwards.target(KEY, found.forward).key == OTHER
    assert not storage.holds(KEY)


@pytest.mark.parametrize("lead", ["no dictionary", {"another": "key"}])
def test_a_lead_that_is_none_leads_nowhere(store, storage, lead):
    caches[store.cache].set(f"prefix{KEY}/moved", lead, 60)
    found = storage.read(KEY)
    assert found.payload is None
    assert forwards.target(KEY, found.forward) is None


def test_what_is_no_dictionary_is_reported(store, storage, caplog):
    caches[store.cache].set(f"prefix{KEY}", "no dictionary", 60)
    assert data_of(storage, KEY) is None
    assert [entry.getMessage() for entry in caplog.records] == [
        "Session data corrupted: the cache holds a str in its place"
    ]


def test_what_the_cache_cannot_hold_is_named(storage):
    with pytest.raises(SessionEncodeError, match=r"session\['cart'\]"):
        storage.encode({"colour": "green", "cart": lambda: None})


def test_the_storage_is_as_atomic_as_its_cache(store, storage, monkeypatch):
    assert storage.atomic_replace
    adapter = type(adapter_of(caches[store.cache]))
    monkeypatch.setattr(adapter, "atomic", False)
    assert not storage.atomic_replace


def test_the_async_twins_say_the_same(storage):
    async def use():
        assert await storage.ainsert(KEY, record(storage, colour="green"))
        found = await storage.aread(KEY)
        assert storage.decode(found.payload) == {"colour": "green"}
        assert await storage.aholds(KEY)
        assert await storage.areplace(KEY, record(storage, colour="red"), found)
        assert await storage.amove(KEY, None, forwards.make(KEY, OTHER))
        assert (await storage.aread(KEY)).forward
        assert not await storage.aremove(KEY)

    async_to_sync(use)()
