"""What the adapters of caches are to the caches."""

from __future__ import annotations

import gc
import weakref
from importlib import import_module

import pytest
from django.core.cache import InvalidCacheBackendError, caches
from django.test import override_settings

from dj_sessions.backends._caches import swap_of


@pytest.mark.stores("cache", cache="redis")
def test_a_cache_goes_with_its_request(store):
    """Under ASGI each request has one, with connections that are open as long as it is there."""
    cache = caches.create_connection(store.cache)
    raw = swap_of(cache).encode(1)
    assert swap_of(cache).read("unknown") is None
    assert swap_of(cache).swap("unknown", raw, None, 60) is False
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
