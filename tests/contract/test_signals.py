"""What signals tell of a session's life, and to whom."""

from contextlib import contextmanager
from unittest import mock

import pytest

from dj_sessions import _keys, signals
from dj_sessions._session import events
from dj_sessions.exceptions import CreateError, SessionConflict, UpdateError
from dj_sessions.signals import EndReason

pytestmark = pytest.mark.stores(server_side=True)

SIGNALS = {
    "started": signals.session_started,
    "renewed": signals.session_renewed,
    "key changed": signals.session_key_changed,
    "ended": signals.session_ended,
}


@contextmanager
def receiving(receive):
    """Have a function receive every signal."""
    for signal in SIGNALS.values():
        signal.connect(receive)
    try:
        yield
    finally:
        for signal in SIGNALS.values():
            assert signal.disconnect(receive)


@pytest.fixture
def told():
    """What the signals have told so far."""
    told, names = [], {signal: name for name, signal in SIGNALS.items()}

    def receive(sender, public_id, signal, **facts):
        told.append((names[signal], public_id, *facts.values()))

    with receiving(receive):
        yield told


def test_a_session_tells_its_life_from_the_first_save_to_the_logout(store, mode, told):
    session = mode.wrap(store.SessionStore())
    session.set("colour", "green")
    session.save()
    first = session.raw.public_id
    assert told == [("started", first)]
    session.cycle_key()
    second = session.raw.public_id
    assert told[1:] == [("key changed", second, first)]
    session.save()
    session.flush()
    assert told[2:] == [("ended", second, EndReason.FLUSHED)]


def test_without_receivers_nothing_is_computed(store, mode, save, reopen):
    session = reopen(save(colour="green"))
    session.get("colour")
    unheard = mock.patch.object(events, "registries", [])
    with unheard, mock.patch.object(events, "_keys") as keys:
        session.cycle_key()
        session.flush()
    assert keys.public_id.call_count == 0


def test_a_save_without_a_change_renews(store, mode, save, reopen, told):
    session = reopen(save(colour="green"))
    session.get("colour")
    del told[:]
    session.save()
    assert told == [("renewed", session.raw.public_id)]
    session.set("colour", "red")
    session.save()
    assert told == [("renewed", session.raw.public_id)]


def test_a_deletion_says_so_once(store, mode, save, told):
    key = save(colour="green")
    del told[:]
    mode.wrap(store.SessionStore()).delete(key)
    mode.wrap(store.SessionStore(key)).delete()
    assert told == [("ended", _keys.public_id(key), EndReason.DELETED)]


def test_nothing_is_told_of_a_made_up_key(store, mode, told):
    for end in ("flush", "delete"):
        getattr(mode.wrap(store.SessionStore("madeupmadeup")), end)()
    assert told == []


def test_a_logout_under_the_old_key_tells_of_the_new_one(store, mode, save, reopen, told):
    key = save(_auth_user_id="1", _auth_user_backend="b", _auth_user_hash="h")
    one, other = reopen(key), reopen(key)
    one.get("x")
    other.get("x")
    one.cycle_key()
    del told[:]
    other.flush()
    assert told == [("ended", one.raw.public_id, EndReason.FLUSHED)]


def test_no_receiver_learns_the_key(store, mode):
    seen = []

    def receive(**facts):
        seen.append(repr(facts))

    with receiving(receive):
        session = mode.wrap(store.SessionStore())
        session.set("colour", "green")
        session.save()
        key = session.raw.session_key
        session.cycle_key()
        new = session.raw.session_key
        session.flush()
    assert len(seen) == 3
    assert not any(each in text for each in (key, new) for text in seen)


def test_the_public_id_tells_no_key_and_changes_with_it(store, mode, save, reopen):
    session = reopen(save(colour="green"))
    before, key = session.raw.public_id, session.raw.session_key
    assert len(before) == 16
    assert before not in key
    assert reopen(key).raw.public_id == before
    session.cycle_key()
    assert session.raw.public_id != before


def test_a_session_without_a_key_has_no_public_id(store):
    assert store.SessionStore().public_id is None


def test_an_override_of_delete_changes_nothing_of_what_is_told(store, mode, told):
    class SessionStore(store.SessionStore):
        def delete(self, session_key=None):
            super().delete(session_key)

    session = mode.wrap(SessionStore())
    session.set("colour", "green")
    session.save()
    first = session.raw.public_id
    session.cycle_key()
    second = session.raw.public_id
    assert told[1:] == [("key changed", second, first)]
    session.flush()
    assert told[2:] == [("ended", second, EndReason.FLUSHED)]


@pytest.mark.parametrize("error", [ValueError, CreateError, UpdateError, SessionConflict])
def test_a_receiver_that_raises_loses_no_session(store, mode, error, caplog):
    def fail(**facts):
        raise error(1)

    with receiving(fail):
        session = mode.wrap(store.SessionStore())
        session.set("colour", "green")
        session.save()
        session.save()
        session.cycle_key()
        key = session.raw.session_key
        assert dict(mode.wrap(store.SessionStore(key)).items()) == {"colour": "green"}
        session.flush()
        assert session.raw.session_key is None
        assert not store.SessionStore().exists(key)
    assert {record.name for record in caplog.records} == {"django.dispatch"}
