"""What the adapters of caches are to the caches."""

from __future__ import annotations

import copy
import gc
import traceback
import weakref
import zlib
from contextlib import contextmanager
from importlib import import_module
from unittest import mock

import pytest
from django.conf import settings
from django.core.cache import CacheKeyWarning, InvalidCacheBackendError, InvalidCacheKey, caches
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from django.test import override_settings
from redis.exceptions import ConnectionError as RedisConnectionError

from dj_sessions.storage.caches import CacheAdapter, adapter_of
from tests.counters import statements


@pytest.mark.stores("cache", cache="redis")
def test_a_cache_goes_with_its_request(store):
    """Under ASGI each request has one, with connections that are open as long as it is there."""
    cache = caches.create_connection(store.cache)
    raw = adapter_of(cache).encode(1)
    assert adapter_of(cache).read("unknown") is None
    assert adapter_of(cache).replace("unknown", raw, None, 60) is False
    gone = weakref.ref(cache)
    gc.disable()
    try:
        del cache
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.stores("cache", cache="locmem")
@pytest.mark.parametrize("engine", ["cache", "cached_db"])
def test_a_cache_that_does_not_exist_is_told_before_the_session_is_used(store, engine):
    SessionStore = import_module(f"dj_sessions.backends.{engine}").SessionStore
    with (
        override_settings(SESSION_CACHE_ALIAS="nowhere"),
        pytest.raises(InvalidCacheBackendError, match="nowhere"),
    ):
        SessionStore()


@pytest.mark.stores("cache", "cached_db", cache="locmem")
@pytest.mark.modes("sync")
def test_a_session_in_use_outlives_those_that_nobody_reads(store, mode, save, reopen):
    cache = caches[store.cache]
    busy = save(colour="green")
    with mock.patch.object(cache, "_max_entries", 60):
        for number in range(200):
            assert reopen(busy).get("colour") == "green"
            cache.set(f"something-else-{number}", number)
            if store.kind == "cached_db":
                with statements() as sent:
                    assert reopen(busy).get("colour") == "green"
                assert sent == []


class Compressing(RedisCacheClient):
    """A client that stores values in a form of its own."""

    def set(self, key, value, timeout):
        value = zlib.compress(self._serializer.dumps(value))
        self.get_client(key, write=True).set(key, value, ex=timeout)

    def get(self, key, default):
        value = self.get_client(key).get(key)
        return default if value is None else self._serializer.loads(zlib.decompress(value))


class CompressingCache(RedisCache):
    """A cache with such a client."""

    def __init__(self, server, params):
        super().__init__(server, params)
        self._class = Compressing


@contextmanager
def changed(alias, **values):
    settings = copy.deepcopy(caches.settings[alias])
    settings["OPTIONS"] = {**settings.get("OPTIONS", {}), **values.pop("OPTIONS", {})}
    with override_settings(CACHES={**caches.settings, alias: {**settings, **values}}):
        yield caches[alias]


@pytest.mark.stores("cache", cache="redis")
def test_a_client_that_stores_in_its_own_form_is_asked(store):
    with changed(store.cache, BACKEND=f"{__name__}.CompressingCache") as cache:
        assert type(adapter_of(cache)) is CacheAdapter
        cache.set("name", {"colour": "green"}, 60)
        assert adapter_of(cache).decode(adapter_of(cache).read("name")) == {"colour": "green"}


@pytest.mark.stores("cache", cache="django_redis")
@pytest.mark.parametrize("kind", ["DefaultClient", "HerdClient"])
def test_a_cache_that_ignores_its_errors_does_not_hide_what_it_did_not_take(store, kind):
    options = {
        "CLIENT_CLASS": f"django_redis.client.{kind}",
        "IGNORE_EXCEPTIONS": True,
        "CONNECTION_POOL_KWARGS": {"retry": None},
    }
    with changed(store.cache, OPTIONS=options) as cache:
        adapter = adapter_of(cache)
        assert adapter.write_if({}, {"tag": adapter.encode("mark")}, 60)
        adapter.forget(["tag"])
    with changed(store.cache, OPTIONS=options, LOCATION="redis://127.0.0.1:1") as cache:
        adapter = adapter_of(cache)
        assert cache.set("name", 1) is None
        with pytest.raises((RedisConnectionError, LookupError)):
            adapter.write_if({}, {"tag": adapter.encode("mark")}, 60)
        with pytest.raises((RedisConnectionError, LookupError)):
            adapter.forget(["tag"])


@pytest.mark.stores("cache", "cached_db", cache="memcached")
def test_what_a_cache_has_against_a_name_is_said_without_the_session_key(store, save, reopen):
    key = save(colour="green")
    longer = {name: dict(options) for name, options in settings.CACHES.items()}
    longer[store.cache]["KEY_PREFIX"] = "x" * 240
    with override_settings(CACHES=longer), pytest.raises(InvalidCacheKey) as caught:
        reopen(key).get("colour")
    said = "".join(traceback.format_exception(caught.value))
    assert "the name of a session (longer than 250)" in said
    assert key not in said


@pytest.mark.stores("cache", "cached_db", cache=("locmem", "redis"))
def test_a_warning_of_a_name_has_no_session_key(store, save, reopen):
    key = save(colour="green")
    longer = {name: dict(options) for name, options in settings.CACHES.items()}
    longer[store.cache]["KEY_PREFIX"] = "x" * 240
    with (
        override_settings(CACHES=longer),
        pytest.warns(CacheKeyWarning) as caught,
    ):
        assert reopen(key).get("colour") == (None if store.kind == "cache" else "green")
    said = [str(warning.message) for warning in caught]
    assert any("the name of a session (longer than 250)" in text for text in said)
    assert not any(key in text for text in said)
