"""One of two Memcached servers fails: whatever pymemcache is told to do then, no session ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches

from dj_sessions.storage.caches import adapter_of
from tests.counters import statements
from tests.outages.places import (
    FRAGILE,
    Place,
    asked_once_per_outage,
    begin_request,
    place,
)
from tests.outages.test_table import DATA, load, stored

OPTIONS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "answers as if nothing were there": {"ignore_exc": True},
    "has another server do the work": {"retry_attempts": 0, "dead_timeout": 60},
    "keeps connections": {"use_pooling": True},
}


@pytest.fixture(params=["cache", "cached_db"])
def where(
    request: pytest.FixtureRequest,
    databases: None,
    fresh_caches: str,
    own_server: Any,
    tmp_path: Path,
) -> Iterator[Place]:
    database = "SQLite" if request.param == "cached_db" else None
    server = own_server("memcached")
    with place(
        request.param, tmp_path, database=database, cache="Memcached", cache_server=server
    ) as made:
        yield made


@pytest.fixture(params=OPTIONS)
def cut(request: pytest.FixtureRequest, where: Place, own_server: Any) -> Place:
    """The place with a second server, and the way to the first one cut once sessions are there."""
    configuration = caches.settings[FRAGILE]
    second = f"127.0.0.1:{own_server('memcached', 2).at.port}"
    configuration["LOCATION"] = [configuration["LOCATION"], second]
    configuration["OPTIONS"] |= OPTIONS[request.param]
    where.keys = [stored(where) for _ in range(16)]
    where.cache_proxy.cut()
    begin_request()
    return where


def outcome(deed: Any) -> Any:
    try:
        return deed()
    except OSError:
        return "raised"


def test_a_session_is_read_or_an_error(cut):
    seen = [outcome(lambda key=key: load(cut, key)) for key in cut.keys * 3]
    raised = [found for found in seen if found == "raised"]
    assert [found for found in seen if found != "raised"] == [DATA] * (len(seen) - len(raised))
    assert (0 < len(raised) < len(seen)) == (cut.engine == "cache")


def test_a_logout_holds_or_is_an_error(cut):
    raised = [key for key in cut.keys if outcome(cut.SessionStore(key).flush) == "raised"]
    assert (0 < len(raised) < len(cut.keys)) == (cut.engine == "cache")
    cut.cache_proxy.restore()
    begin_request()
    found = {key: load(cut, key) for key in cut.keys}
    assert found == {key: DATA if key in raised else {} for key in cut.keys}


def test_a_new_session_is_stored_or_an_error(cut):
    made = [outcome(lambda: stored(cut)) for _ in range(16)]
    cut.cache_proxy.restore()
    begin_request()
    assert all(load(cut, key) == DATA for key in made if key != "raised")
    assert (0 < made.count("raised") < 16) == (cut.engine == "cache")


@pytest.mark.parametrize("where", ["cached_db"], indirect=True)
def test_the_sessions_of_the_other_server_are_read_from_the_cache(where, own_server):
    """Copy, tag and generation of a session are on one server, so that no other one is missed."""
    configuration = caches.settings[FRAGILE]
    more = [f"127.0.0.1:{own_server('memcached', number).at.port}" for number in (2, 3)]
    configuration["LOCATION"] = [configuration["LOCATION"], *more]
    keys = [stored(where) for _ in range(30)]
    adapter = adapter_of(caches[FRAGILE])
    places = {key: adapter.place(where.SessionStore(key).cache_key) for key in keys}
    assert len(set(places.values())) == 3
    begin_request()
    with where.silent_cache(), asked_once_per_outage() as failed:
        for key in keys:
            with statements() as sent:
                assert load(where, key) == DATA
            is_there = places[key] != f"127.0.0.1:{where.cache_proxy.port}"
            assert len(sent) == (0 if is_there else 1), places[key]
        assert len(failed) == 1  # and not as often as there are sessions
