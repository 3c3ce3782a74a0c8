"""One of the two stores is down while sessions move: what goes on, and what is an error."""

from __future__ import annotations

import pytest
import redis
from django.test import override_settings

from dj_sessions.backends import db, moving

ROWS, REDIS = (f"dj_sessions.backends.{name}" for name in ("db", "redis"))
#: Where nobody listens.
DOWN = {"URL": "redis://127.0.0.1:1/0"}

pytestmark = pytest.mark.stores("db", database="sqlite")


@pytest.fixture
def key(store, settings):
    """The key of a session in the table."""
    settings.SESSION_REDIS = DOWN
    session = db.SessionStore()
    session["colour"] = "green"
    session.create()
    return session.session_key


def moves(source, target, phase):
    move = {"FROM": source, "TO": target, "PHASE": phase}
    return override_settings(SESSION_ENGINE="dj_sessions.backends.moving", SESSION_MOVE=move)


@pytest.mark.parametrize(
    ("source", "target", "phase"),
    [
        (ROWS, REDIS, "prepare"),
        (REDIS, ROWS, "move"),
    ],
)
def test_what_is_where_it_is_looked_up_first_is_served_and_saved(key, source, target, phase):
    with moves(source, target, phase):
        session = moving.SessionStore(key)
        session["colour"] = "red"
        session.save()
        assert db.SessionStore(key)["colour"] == "red"
        with pytest.raises(redis.ConnectionError):
            moving.SessionStore(key).cycle_key()
        with pytest.raises(redis.ConnectionError):
            moving.SessionStore().create()
        with pytest.raises(redis.ConnectionError):
            moving.SessionStore("a" * 32).load()
        moving.SessionStore(key).flush()
        assert not db.SessionStore().exists(key)


def test_what_is_left_in_from_is_an_error_and_no_logout(key):
    with moves(ROWS, REDIS, "move"):
        with pytest.raises(redis.ConnectionError):
            moving.SessionStore(key).load()
        assert db.SessionStore(key)["colour"] == "green"
