"""`docs/signals.md`: the receivers of the example, in a life of a session."""

import logging

import pytest

from dj_sessions import signals
from dj_sessions.signals import EndReason
from tests.docs.pages import docs


@pytest.fixture
def receivers(example):
    module = example("signals", "shop.receivers")
    yield module
    signals.session_started.disconnect(module.log_start)
    signals.session_key_changed.disconnect(module.log_key_change)
    signals.session_ended.disconnect(module.log_end)


@pytest.mark.stores("db", "cached_db", "cache", "file")
def test_the_example_logs_a_life(store, mode, receivers, caplog):
    caplog.set_level(logging.INFO, "shop.sessions")
    session = mode.wrap(store.SessionStore())
    session.set("colour", "green")
    session.save()
    first = session.raw.public_id
    session.cycle_key()
    second = session.raw.public_id
    session.flush()
    assert caplog.messages == [
        f"session {first} started",
        f"session {first} is now {second}",
        f"session {second} ended: flushed",
    ]


def test_the_page_names_every_signal_and_reason():
    text = docs("signals").text
    for name in signals.__all__:
        assert name == "EndReason" or f"`{name}`" in text
    for reason in EndReason:
        assert f'`"{reason}"`' in text
