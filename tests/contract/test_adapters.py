"""Each adapter of a cache compares and writes alike."""

from __future__ import annotations

import copy
import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.cache import caches
from django.test import override_settings
from redis.exceptions import ConnectionError as RedisConnectionError

from dj_sessions.storage.caches import adapter_of

pytestmark = pytest.mark.stores("cache")

AGE = 60


@pytest.fixture
def adapter(store):
    return adapter_of(caches[store.cache])


def put(adapter, name, value):
    raw = adapter.encode(value)
    assert adapter.insert(name, raw, AGE)
    return raw


def values(adapter, *names):
    found = adapter.read_many(names)
    return [None if raw is None else adapter.decode(raw) for raw in found]


def test_an_entry_is_replaced_where_it_is_as_expected(adapter):
    raw = put(adapter, "a", {"colour": "green"})
    other = adapter.encode({"colour": "red"})
    assert not adapter.insert("a", other, AGE)
    assert not adapter.replace("a", other, other, AGE)
    assert adapter.replace("a", other, raw, AGE)
    assert values(adapter, "a") == [{"colour": "red"}]
    assert adapter.replace("a", raw, None, AGE)
    assert not adapter.replace("b", raw, None, AGE)
    assert values(adapter, "a", "b") == [{"colour": "green"}, None]


def test_an_entry_is_removed_where_it_is_as_expected(adapter):
    raw = put(adapter, "a", "one")
    assert not adapter.remove("a", adapter.encode("two"))
    assert adapter.holds("a")
    assert adapter.remove("a", raw)
    assert not adapter.holds("a")
    assert not adapter.remove("a", raw)
    assert not adapter.remove("a")
    put(adapter, "a", "one")
    assert adapter.remove("a")
    assert not adapter.holds("a")


@pytest.mark.parametrize("is_expected", [True, False])
def test_a_moved_entry_leaves_another_one_behind(adapter, is_expected):
    raw = put(adapter, "a", "one") if is_expected else None
    assert not adapter.move("b", raw, "b/moved", adapter.encode("elsewhere"), AGE)
    if not is_expected:
        put(adapter, "a", "one")
    assert adapter.move("a", raw, "a/moved", adapter.encode("elsewhere"), AGE)
    assert values(adapter, "a", "a/moved") == [None, "elsewhere"]
    found, lead = adapter.read_either("a", "a/moved")
    assert found is None
    assert adapter.decode(lead) == "elsewhere"


def test_entries_are_written_together_where_the_conditions_hold(adapter):
    word = put(adapter, "generation", "word")
    entries = {"tag": adapter.encode("fits"), "copy": adapter.encode({"colour": "green"})}
    assert adapter.write_if({"tag": None, "generation": word}, entries, AGE)
    assert values(adapter, "copy", "tag") == [{"colour": "green"}, "fits"]
    # Now there is a tag.
    assert not adapter.write_if({"tag": None}, {"tag": adapter.encode("other")}, AGE)
    assert not adapter.write_if({"tag": word}, {"tag": adapter.encode("other")}, AGE)
    assert values(adapter, "tag") == ["fits"]
    seen = adapter.read("tag")
    assert adapter.write_if({"tag": seen}, {"tag": adapter.encode("other")}, AGE)
    assert values(adapter, "tag") == ["other"]


def test_entries_without_conditions_are_written_over_whatever_there_is(adapter):
    put(adapter, "a", "old")
    entries = {"a": adapter.encode("one"), "b": adapter.encode("two")}
    assert adapter.write_if({}, entries, AGE)
    assert values(adapter, "a", "b", "c") == ["one", "two", None]


@pytest.mark.stores("cache", cache=("locmem", "redis", "django_redis"))
def test_a_condition_on_an_entry_that_is_not_written_counts(adapter):
    entries = {"copy": adapter.encode("one")}
    put(adapter, "generation", "new word")
    assert not adapter.write_if({"generation": adapter.encode("word")}, entries, AGE)
    assert not adapter.write_if({"generation": None}, entries, AGE)
    assert values(adapter, "copy") == [None]


@pytest.mark.stores("cache", cache="redis")
@pytest.mark.parametrize(("age", "left"), [(None, -1), (60, 60_000), (0, -2)])
def test_entries_live_as_long_as_is_said(adapter, age, left):
    began = time.monotonic()
    assert adapter.write_if({}, {"a": adapter.encode("one")}, age)
    found = adapter.client.pttl(adapter.name("a"))
    gone_by = 1 + 1000 * (time.monotonic() - began) if age else 0  # by the clock of Redis
    assert left - gone_by <= found <= left


def test_of_two_who_write_on_the_same_condition_one_does(store):
    def write(number):
        adapter = adapter_of(caches[store.cache])
        entries = {"tag": adapter.encode(number), f"copy-{number}": adapter.encode(number)}
        try:
            return adapter.write_if({"tag": None}, entries, AGE)
        finally:
            caches.close_all()

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(write, range(8))) == [False] * 7 + [True]


def test_entries_are_forgotten_whether_they_are_there_or_not(adapter):
    put(adapter, "a", "one")
    put(adapter, "b", "two")
    adapter.forget(["a", "b", "c"])
    assert values(adapter, "a", "b", "c") == [None] * 3


@pytest.mark.stores("cache", cache="django_redis")
@pytest.mark.parametrize("kind", ["DefaultClient", "HerdClient"])
def test_a_cache_that_ignores_its_errors_does_not_hide_what_it_did_not_do(store, kind):
    options = {
        "CLIENT_CLASS": f"django_redis.client.{kind}",
        "IGNORE_EXCEPTIONS": True,
        "CONNECTION_POOL_KWARGS": {"retry": None},
    }
    there = copy.deepcopy(caches.settings)
    there[store.cache]["OPTIONS"] = options
    gone = copy.deepcopy(there)
    gone[store.cache]["LOCATION"] = "redis://127.0.0.1:1"
    with override_settings(CACHES=there):
        adapter = adapter_of(caches[store.cache])
        assert adapter.write_if({}, {"a": adapter.encode("one")}, AGE)
        adapter.forget(["a"])
        assert not adapter.remove("a")
    with override_settings(CACHES=gone):
        assert caches[store.cache].set("a", 1) is None
        adapter = adapter_of(caches[store.cache])
        for call in (
            lambda: adapter.write_if({}, {"a": adapter.encode("one")}, AGE),
            lambda: adapter.forget(["a"]),
            lambda: adapter.remove("a"),
        ):
            with pytest.raises((RedisConnectionError, LookupError)):
                call()


@pytest.mark.stores("cache", cache="memcached")
def test_a_move_does_not_wait_for_the_system_to_send_what_it_holds_back(adapter):
    """A command after one that nobody answers is sent 40 ms later."""
    raw, numbers = adapter.encode("one"), itertools.count()

    def seconds():
        name = f"a{next(numbers)}"
        assert adapter.insert(name, raw, AGE)
        started = time.perf_counter()
        assert adapter.move(name, None, f"{name}/moved", raw, AGE)
        return time.perf_counter() - started

    # A busy machine delays some, and what the system holds back is always late.
    assert any(seconds() < 0.03 for _ in range(100))


def test_only_the_site_can_tag_what_others_may_write_beside_it(store, adapter):
    tag = adapter.tag(b"one")
    assert adapter.tag(b"one") == tag
    assert adapter.tag(b"two") != tag
    with override_settings(SECRET_KEY="the key of another site"):
        is_without_secret = adapter.tag(b"one") == tag
    assert is_without_secret == (store.cache == "default")  # in local memory nobody else writes
