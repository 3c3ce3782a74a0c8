"""No span has a session key, but where the instrumentation has it with Django's engine as well."""

from __future__ import annotations

import pytest
import redis

from dj_sessions import _keys
from tests import redis_servers
from tests.contract.costs import OURS, saved
from tests.traces.conftest import names, store_class


@pytest.mark.stores("db", "cached_db", "cache", "redis", cache=(None, "redis", "django_redis"))
@pytest.mark.parametrize("form", ["plain", "hashed"])
def test_no_span_has_a_key_or_a_value(store, mode, traces, settings, form):
    settings.SESSION_KEY_STORAGE = [form]
    unknown = "a" * 32
    mode.wrap(store.SessionStore(unknown)).get("colour")
    session = mode.wrap(store.SessionStore())
    session.set("colour", "crimson")
    session.save()
    keys = [session.session_key]
    session = mode.wrap(store.SessionStore(session.session_key))
    session.set("colour", "turquoise")
    session.save()
    session.cycle_key()
    keys.append(session.session_key)
    session.flush()
    assert len(traces.clients) >= 6
    secrets = [unknown, *keys, *map(_keys.hashed, keys), "crimson", "turquoise"]
    assert [secret for secret in secrets if secret in traces.text] == []


@pytest.mark.stores("redis", "cache", cache=(None, "redis"))
def test_nor_has_an_error_of_a_redis_that_runs_no_scripts(store, mode, traces, settings):
    server = redis_servers.needed(redis_servers.restricted)
    url = f"redis://plain:secret@127.0.0.1:{server.port}"
    settings.SESSION_REDIS = {"URL": url, "OPTIONS": redis_servers.PATIENT}
    settings.CACHES = {"redis": settings.CACHES["redis"] | {"LOCATION": url}}
    key = saved(mode, store.SessionStore)
    session = mode.wrap(store.SessionStore(key))
    session.set("colour", "crimson")
    traces.clear()
    with redis_servers.full(server), pytest.raises(redis.exceptions.OutOfMemoryError) as refused:
        session.save()
    assert names(traces.clients)["SET"] == 1
    assert (key in traces.text, key in str(refused.value)) == (False, False)


@pytest.mark.stores("cache", "cached_db", cache="memcached")
@pytest.mark.parametrize("form", ["plain", "hashed"])
def test_memcached_s_spans_name_the_entries(store, mode, traces, package, settings, form):
    settings.SESSION_KEY_STORAGE = [form]
    key = saved(mode, store_class())
    assert (key in traces.text) is not (package == OURS and form == "hashed")
