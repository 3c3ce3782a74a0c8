"""cached_db subclasses: another prefix (documented), and another cache key altogether."""

import pytest
from django.conf import settings
from django.core.cache import caches

from tests.counters import statements
from tests.subclasses import engines
from tests.subclasses.engines.tenant import tenant

pytestmark = pytest.mark.stores("cached_db")


def cached(key):
    return caches[settings.SESSION_CACHE_ALIAS].get(key)


def test_the_store_s_own_prefix_is_where_its_sessions_are_cached(engine, browser):
    engine(engines.path("prefixed"))
    browser.visit("write", colour="green")
    assert cached(f"accounts.cached_db.{browser.key}") == {"colour": "green"}
    assert cached(f"django.contrib.sessions.cached_db{browser.key}") is None


def test_what_is_cached_under_the_prefix_spares_the_database(engine, browser):
    engine(engines.path("prefixed"))
    browser.visit("write", colour="green")
    with statements() as seen:
        assert browser.visit("who").json()["data"] == {"colour": "green"}
    assert seen == []


def test_the_end_of_a_session_ends_its_copy_under_the_prefix(engine, browser):
    SessionStore = engine(engines.path("prefixed"))
    browser.visit("write", colour="green")
    key = browser.key
    browser.visit("flush")
    assert cached(f"accounts.cached_db.{key}") is None
    assert not SessionStore().exists(key)


def test_an_evicted_copy_comes_back_under_the_prefix(engine, browser):
    engine(engines.path("prefixed"))
    browser.visit("write", colour="green")
    caches[settings.SESSION_CACHE_ALIAS].delete(f"accounts.cached_db.{browser.key}")
    assert browser.visit("who").json()["data"] == {"colour": "green"}
    assert cached(f"accounts.cached_db.{browser.key}") == {"colour": "green"}


def test_a_computed_cache_key_is_where_the_session_is_cached(engine, mode):
    SessionStore = engine(engines.path("tenant"))
    session = mode.wrap(SessionStore())
    session.set("colour", "green")
    session.save()
    suffix = f"django.contrib.sessions.cached_db{session.session_key}"
    assert cached(f"public:{suffix}") == {"colour": "green"}
    assert cached(suffix) is None
    with statements() as seen:
        assert mode.wrap(SessionStore(session.session_key)).get("colour") == "green"
    assert seen == []


def test_a_computed_cache_key_is_asked_for_each_time(engine, mode):
    SessionStore = engine(engines.path("tenant"))
    session = mode.wrap(SessionStore())
    session.set("colour", "green")
    session.save()
    token = tenant.set("acme")
    try:
        with statements() as seen:
            assert mode.wrap(SessionStore(session.session_key)).get("colour") == "green"
        assert len(seen) == 1
    finally:
        tenant.reset(token)
    suffix = f"django.contrib.sessions.cached_db{session.session_key}"
    assert cached(f"acme:{suffix}") == {"colour": "green"}


@pytest.mark.parametrize("end", ["delete", "flush", "cycle_key"])
def test_no_live_copy_is_left_under_a_computed_cache_key(engine, mode, end):
    SessionStore = engine(engines.path("tenant"))
    session = mode.wrap(SessionStore())
    session.set("colour", "green")
    session.save()
    key = session.session_key
    getattr(mode.wrap(SessionStore(key)), end)()
    assert mode.wrap(SessionStore(key)).get("colour") is None


@pytest.mark.modes("async")
@pytest.mark.parametrize("end", ["delete", "flush", "cycle_key", "delete by key"])
def test_no_live_copy_is_left_under_a_cache_key_that_is_computed_in_async_alone(store, mode, end):
    class SessionStore(store.SessionStore):
        async def acache_key(self):
            return f"own:{await self._aget_or_create_session_key()}"

    session = mode.wrap(SessionStore())
    session.set("colour", "green")
    session.save()
    key = session.session_key
    assert cached(f"own:{key}") == {"colour": "green"}
    if end == "delete by key":
        mode.wrap(SessionStore()).delete(key)
    else:
        getattr(mode.wrap(SessionStore(key)), end)()
    assert cached(f"own:{key}") is None
    assert mode.wrap(SessionStore(key)).get("colour") is None
