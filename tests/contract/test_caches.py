"""What the adapters of caches are to the caches."""

from __future__ import annotations

import gc
import weakref

import pytest
from django.core.cache import caches

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
