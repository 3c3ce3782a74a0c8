"""What a site's model does in its own way: its manager, fields, methods and receivers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import SESSION_KEY
from django.db import IntegrityError, connections, models, transaction
from django.db.models import F, Value, signals
from django.db.models.functions import Concat
from django.utils import timezone

from dj_sessions.base_session import BaseSessionManager
from dj_sessions.exceptions import SessionEnded, UpdateError
from tests.subclasses.models import (
    AccountSession,
    BareSession,
    DeviceSession,
    RevocableSession,
    SealedSession,
    TurnedSession,
)

pytestmark = pytest.mark.stores("db", "cached_db")


@pytest.fixture
def on(keep_in, mode):
    """Open sessions that are kept in a model."""

    def on(model, **columns):
        SessionStore = keep_in(model, **columns)
        return lambda key=None: mode.wrap(SessionStore(key))

    return on


@pytest.fixture
def receiver():
    """Have a function called by a signal of AccountSession."""
    connected = []

    def connect(signal, function):
        def receive(sender, instance, **kwargs):
            function(instance)

        signal.connect(receive, sender=AccountSession)
        connected.append((signal, receive))

    yield connect
    for signal, receive in connected:
        signal.disconnect(receive, sender=AccountSession)


def saved(open_session, **data):
    session = open_session()
    session.update(data)
    session.save()
    return session.raw.session_key


# A manager that hides rows, and a delete() that returns nothing and takes nothing


@pytest.mark.parametrize("end", ["delete", "flush"])
def test_the_model_s_own_delete_ends_a_session_whatever_it_returns(on, end):
    open_session = on(RevocableSession)
    key = saved(open_session, colour="green")
    getattr(open_session(key), end)()
    assert RevocableSession.everything.get().revoked
    assert dict(open_session(key).items()) == {}


def test_it_also_ends_the_old_key_of_a_login(on):
    open_session = on(RevocableSession)
    key = saved(open_session, **{SESSION_KEY: "1"})
    session = open_session(key)
    assert session.get(SESSION_KEY) == "1"
    session.cycle_key()
    assert dict(open_session(session.raw.session_key).items()) == {SESSION_KEY: "1"}
    assert RevocableSession.everything.get(revoked=True).pk == key


@pytest.fixture
def revoked(on):
    """A session that was loaded and then hidden, and the function that opens it again."""
    open_session = on(RevocableSession)
    key = saved(open_session, **{SESSION_KEY: "1"})
    session = open_session(key)
    assert session.get(SESSION_KEY) == "1"
    open_session(key).flush()
    return session, lambda: open_session(key)


def test_a_running_request_does_not_bring_back_what_the_manager_hides(revoked):
    session, again = revoked
    session.set("colour", "green")
    with pytest.raises(UpdateError):
        session.save()
    assert RevocableSession.everything.get().revoked
    assert dict(again().items()) == {}


def test_nor_does_one_that_has_cleared_it(revoked):
    session, again = revoked
    session.raw.clear()
    session.set("colour", "green")
    with pytest.raises(UpdateError):
        session.save()
    assert dict(again().items()) == {}


def test_nor_is_the_login_carried_over(revoked):
    session, _ = revoked
    session.cycle_key()
    with pytest.raises(SessionEnded):
        session.save()
    assert not RevocableSession.objects.exists()


def test_the_row_of_a_hidden_session_is_left_alone(revoked, monkeypatch):
    """Also where delete() is Django's, which would remove it."""
    session, _ = revoked
    monkeypatch.setattr(RevocableSession, "delete", models.Model.delete)
    session.delete()
    assert RevocableSession.everything.get().revoked


def test_a_model_without_objects_is_read_through_its_default_manager(on):
    open_session = on(BareSession)
    key = saved(open_session, colour="green")
    session = open_session(key)
    session.set("size", 3)
    session.save()
    assert session.exists(key)
    assert dict(open_session(key).items()) == {"colour": "green", "size": 3}
    BareSession.rows.update(expire_date=timezone.now() - timedelta(days=1))
    session.clear_expired()
    assert not BareSession.rows.exists()


# A payload that is not stored as it is loaded


@pytest.mark.parametrize("model", [SealedSession, TurnedSession])
def test_a_payload_that_is_sealed_is_compared_as_it_is_loaded(on, model):
    open_session = on(model)
    key = saved(open_session, colour="green")
    assert "green" not in str(model.objects.values_list("session_data", flat=True))
    one, other = open_session(key), open_session(key)
    for session, name in ((one, "size"), (other, "shape")):
        session.set(name, 3)
    for session in (one, other):
        session.save()
        session.set("again", 1)
        session.save()
    assert dict(open_session(key).items()) == {"colour": "green", "size": 3, "shape": 3, "again": 1}


@pytest.mark.parametrize("model", [SealedSession, TurnedSession])
def test_a_sealed_session_that_was_ended_stays_ended(on, model):
    open_session = on(model)
    key = saved(open_session, colour="green")
    session = open_session(key)
    session.set("size", 3)
    open_session(key).flush()
    with pytest.raises(UpdateError):
        session.save()
    assert not model.objects.exists()


@pytest.mark.stores("db")
def test_a_receiver_of_post_init_sees_and_changes_what_is_loaded(on, receiver):
    open_session = on(AccountSession)
    key = saved(open_session, colour="green")

    def unseal(row):
        row.session_data = row.session_data.removeprefix("sealed ")

    receiver(signals.post_init, unseal)
    AccountSession.objects.update(session_data=Concat(Value("sealed "), F("session_data")))
    session = open_session(key)
    session.set("size", 3)
    session.save()
    assert dict(open_session(key).items()) == {"colour": "green", "size": 3}


# Columns and methods


def test_an_expression_may_be_the_value_of_a_column(on):
    number = {"value": 5}
    open_session = on(AccountSession, account_id=lambda row: number["value"])
    key = saved(open_session, colour="green")
    number["value"] = F("account_id") + 1
    session = open_session(key)
    for size in (3, 4):
        session.set("size", size)
        session.save()
    assert AccountSession.objects.get().account_id == 7
    number["value"] = Value(8) + 1
    saved(open_session, colour="red")
    assert AccountSession.objects.filter(account_id=9).exists()


@pytest.mark.parametrize("name", ["_save_table", "_do_insert", "_do_update"])
def test_the_methods_beneath_save_may_be_overridden(on, monkeypatch, name):
    called = []
    original = getattr(AccountSession, name)

    def override(self, *args, **kwargs):
        called.append(name)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(AccountSession, name, override)
    open_session = on(AccountSession)
    session = open_session(saved(open_session, colour="green"))
    session.set("size", 3)
    session.save()
    assert len(called) == (2 if name == "_save_table" else 1)


# A new session and its receivers


def test_a_receiver_of_a_new_session_is_in_its_transaction(store, on, receiver):
    seen = []

    def receive(row):
        seen.append(connections[store.database].in_atomic_block)
        list(DeviceSession.objects.using(store.database).select_for_update())
        transaction.on_commit(lambda: seen.append("committed"), using=store.database)

    receiver(signals.post_save, receive)
    saved(on(AccountSession), colour="green")
    assert seen == [True, "committed"]


@pytest.mark.parametrize("error", [ValueError, IntegrityError])
def test_what_a_receiver_refuses_is_not_stored(on, receiver, error):
    def refuse(row):
        raise error("refused")

    receiver(signals.post_save, refuse)
    with pytest.raises(error, match="refused"):
        saved(on(AccountSession), colour="green")
    assert not AccountSession.objects.exists()


# Managers with joins


def joined(rows):
    return rows.select_related("user")


def outer(rows):
    return rows.exclude(user__is_active=False)


def distinct(rows):
    return rows.distinct()


@pytest.fixture(params=[joined, outer, distinct])
def open_joined(request, on, monkeypatch):
    def get_queryset(self):
        return request.param(super(BaseSessionManager, self).get_queryset())

    manager = type("JoiningManager", (BaseSessionManager,), {"get_queryset": get_queryset})()
    manager.model, manager.name = DeviceSession, "objects"
    monkeypatch.setattr(DeviceSession, "objects", manager)
    return on(DeviceSession)


@pytest.mark.parametrize("where", ["in a transaction", "in autocommit"])
def test_sessions_that_are_read_with_a_join_are_merged(store, open_joined, where):
    key = saved(open_joined, colour="green")
    one, other = open_joined(key), open_joined(key)
    one.set("size", 3)
    other.set("shape", "round")
    one.save()
    if where == "in autocommit":
        other.save()
    else:
        with transaction.atomic(using=store.database):
            other.save()
    assert dict(open_joined(key).items()) == {"colour": "green", "size": 3, "shape": "round"}


def test_they_end(open_joined):
    key = saved(open_joined, **{SESSION_KEY: "1"})
    session = open_joined(key)
    assert session.get(SESSION_KEY) == "1"
    session.cycle_key()
    session.flush()
    assert not DeviceSession._base_manager.exists()


@pytest.mark.parametrize("where", ["in a transaction", "in autocommit"])
def test_they_are_cleared(store, open_joined, where):
    saved(open_joined, colour="green")
    DeviceSession._base_manager.update(expire_date=timezone.now() - timedelta(days=1))
    if where == "in autocommit":
        open_joined().clear_expired()
    else:
        with transaction.atomic(using=store.database):
            open_joined().clear_expired()
    assert not DeviceSession._base_manager.exists()


# -- a way of its own to find rows


@pytest.fixture
def finding(store, mode):
    """Open sessions of an engine that takes it for granted that there is a row."""

    class SessionStore(store.SessionStore):
        def _get_session_from_db(self):
            row = super()._get_session_from_db()
            self.ends = row.expire_date
            return row

    return lambda key=None: mode.wrap(SessionStore(key))


def test_an_override_that_fails_without_a_row_leaves_no_key_to_fail_with_again(finding):
    session = finding("a" * 32)
    with pytest.raises(AttributeError, match="expire_date"):
        session.get("colour")
    assert session.raw.is_empty()


def test_what_others_saved_follows_a_session_that_is_found_in_its_own_way(finding):
    key = saved(finding, colour="green")
    moving, other = finding(key), finding(key)
    for session in (moving, other):
        assert session.get("colour") == "green"
    other.set("cart", ["tea"])
    other.save()
    moving.cycle_key()
    assert dict(finding(moving.raw.session_key).items()) == {"colour": "green", "cart": ["tea"]}
