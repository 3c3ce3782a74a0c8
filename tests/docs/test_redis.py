"""`docs/redis.md`: the user that is enough, the sizes, the numbers, the round trips."""

from __future__ import annotations

import inspect
import re
import secrets

import pytest
import redis
from django.test import override_settings

from dj_sessions.backends.redis import SessionStore
from dj_sessions.storage.redis import clients, configuration
from tests import redis_servers
from tests.contract.costs import ROUND_TRIPS, figure
from tests.counters import round_trips
from tests.docs.pages import docs
from tests.docs.test_costs import METHODS

PAGE = docs("redis")
LOGIN = {
    "_auth_user_id": "1",
    "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
    "_auth_user_hash": "f" * 64,
}
BASKET = {"cart": [{"id": n, "n": 1, "name": "a thing"} for n in range(20)]}
SESSIONS = dict(
    zip(
        ('`{"colour": "green"}`', "a login", "a login, and a basket of twenty things"),
        ({"colour": "green"}, LOGIN, LOGIN | BASKET),
        strict=True,
    )
)


def test_the_user_of_the_page_may_do_what_sessions_need(example, mode):
    server = redis_servers.needed(redis_servers.restricted)
    password = secrets.token_hex(8)
    with redis.Redis(port=server.port) as admin:
        example("redis", "shop.acl").make_user(admin, password)
    url = f"redis://sessions:{password}@127.0.0.1:{server.port}"
    with override_settings(SESSION_REDIS={"URL": url}):
        session = mode.wrap(SessionStore())
        session.set("colour", "green")
        session.save()
        session.set("size", 3)
        session.save()
        session.cycle_key()
        assert session.exists(session.raw.session_key)
        assert dict(mode.wrap(SessionStore(session.raw.session_key)).load()) == {
            "colour": "green",
            "size": 3,
        }
        assert session.raw._storage.server.runs_scripts
        renamed_by_a_save(session.raw.session_key, mode)


def renamed_by_a_save(key, mode):
    with override_settings(SESSION_KEY_STORAGE=["hashed", "plain"]), round_trips() as made:
        session = mode.wrap(SessionStore(key))
        session.set("size", 4)
        session.save()
    # The second reads both names at once, and none is refused.
    commands = [re.search("[A-Z]{3,}", str(each))[0] for each in made]
    assert commands == ["GET", "MGET", "EVALSHA"]
    with override_settings(SESSION_KEY_STORAGE=["hashed"]):
        session = mode.wrap(SessionStore(key))
        assert session.get("size") == 4
        session.flush()


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_is_as_large_as_the_page_says(name, example, no_limits):
    [row] = [row for row in PAGE.sections["What is stored?"].rows if row[""] == name]
    url = redis_servers.needed(redis_servers.plain)
    with override_settings(SESSION_REDIS={"URL": url}), redis.Redis.from_url(url) as client:
        session = SessionStore()
        session.update(SESSIONS[name])
        session.save()
        entry = session._storage.name_of(session.session_key)
        text, used = client.get(entry), client.memory_usage(entry, samples=0)
        session.flush()
    assert row["Name"] == f"{len(entry)} bytes"
    assert abs(len(text) - int(row["Value"].split()[0])) < 8  # of the time in it, compressed
    assert abs(used - int(row["In Redis"].split()[0])) <= 40  # as the allocator has sizes
    assert used <= 408
    assert example("redis", "shop.look").data_of(text.decode()) == SESSIONS[name]


@pytest.mark.usual_limits
def test_the_options_have_the_defaults_of_the_page():
    said = {row["Option"].strip("`"): row["Default"] for row in PAGE.sections["OPTIONS"].rows}
    assert said.pop("max_connections") == f"{clients.CONNECTIONS} for each event loop"
    assert said.pop("retries") == str(clients.RETRIES)
    assert said == {name: str(value) for name, value in clients.TIMEOUTS.items()}


def test_the_keys_of_the_setting_are_those_of_the_page():
    rows = PAGE.sections["SESSION_REDIS"].rows
    named = {name.strip("`") for row in rows for name in row["Key"].split(", ")}
    assert named == set(configuration.NAMES)
    assert {row["Key"]: row.get("Default") for row in rows}["`PREFIX`"] == (
        f'`"{configuration.PREFIX}"`'
    )


def test_the_page_costs_what_the_contract_counts():
    said = {row.pop(""): row["Round trips"] for row in PAGE.sections["What does it cost?"].rows}
    counted = {
        name: str(figure(ROUND_TRIPS[method], "dj_sessions"))
        for name, method in METHODS.items()
        if name in said
    }
    assert said == counted


@pytest.mark.usual_limits
def test_what_a_machine_that_is_gone_costs_fits_into_a_second():
    """Two attempts: an answer that never comes, and a connection that is never made, or silent."""
    connect, answer = clients.TIMEOUTS["socket_connect_timeout"], clients.TIMEOUTS["socket_timeout"]
    attempts = 1 + clients.RETRIES
    assert answer + attempts * connect <= 1
    assert attempts * answer <= 1
    assert clients.LIMIT <= 1
    assert inspect.signature(redis.Redis).parameters.keys() >= clients.TIMEOUTS.keys()
