"""What points at a session when it ends, and sessions in more than one table."""

from __future__ import annotations

import uuid
from datetime import timedelta
from unittest import mock

import pytest
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.db.models import ProtectedError
from django.utils import timezone

from tests.subclasses.models import (
    Basket,
    InheritedSession,
    NamedSession,
    Note,
    Order,
    TaggedSession,
    Visit,
    Wish,
)

pytestmark = pytest.mark.stores("db", "cached_db")


@pytest.fixture
def key(store, mode):
    """A session with a basket, which goes with it, and an order, which does not."""
    session = mode.wrap(store.SessionStore())
    session.set("colour", "green")
    session.save()
    Basket.objects.create(session_id=session.session_key, fruit="fig")
    Order.objects.create(session_id=session.session_key, fruit="fig")
    return session.session_key


def public_id(row):
    return uuid.uuid5(uuid.NAMESPACE_OID, row.session_key)


@pytest.mark.parametrize("end", ["delete", "flush", "cycle_key"])
def test_related_rows_go_or_let_go_with_the_session(store, mode, key, end):
    getattr(mode.wrap(store.SessionStore(key)), end)()
    assert not Session.objects.filter(pk=key).exists()
    assert not Basket.objects.exists()
    assert Order.objects.get().session is None


def test_related_rows_of_expired_sessions_too(store, mode, key):
    Session.objects.update(expire_date=timezone.now() - timedelta(days=1))
    mode.wrap(store.SessionStore).clear_expired()
    assert not Session.objects.exists()
    assert not Basket.objects.exists()
    assert Order.objects.get().session is None


@pytest.mark.stores("db")
def test_a_save_leaves_them_alone(store, mode, key):
    session = mode.wrap(store.SessionStore(key))
    session.set("colour", "blue")
    session.save()
    assert Basket.objects.get().session_id == key
    assert Order.objects.get().session_id == key


@pytest.mark.stores("db")
def test_they_lead_to_the_session_and_back(store, mode, key):
    session = Basket.objects.select_related("session").get().session
    assert session.get_decoded() == {"colour": "green"}
    assert session.orders.get().fruit == "fig"


@pytest.mark.stores("db")
def test_a_protected_session_does_not_end(store, mode, key, monkeypatch):
    def protect(collector, field, objects, using):
        raise ProtectedError("an open basket", set(objects))

    monkeypatch.setattr(Basket._meta.get_field("session").remote_field, "on_delete", protect)
    with pytest.raises(ProtectedError):
        mode.wrap(store.SessionStore(key)).delete()
    assert Session.objects.filter(pk=key).exists()


@pytest.mark.stores("db")
@pytest.mark.parametrize("end", ["delete", "flush", "cycle_key"])
def test_rows_that_point_at_another_column_of_the_session_go_too(keep_in, mode, end):
    SessionStore = keep_in(NamedSession, public_id=public_id)
    session = mode.wrap(SessionStore())
    session.set("colour", "green")
    session.save()
    Visit.objects.create(session=NamedSession.objects.get())
    session.set("colour", "blue")
    session.save()
    assert Visit.objects.exists()
    key = session.session_key
    getattr(session, end)()
    assert not NamedSession.objects.filter(pk=key).exists()
    assert not Visit.objects.exists()


@pytest.mark.parametrize("end", ["delete", "flush", "cycle_key"])
def test_rows_of_which_the_session_does_not_know_go_too(store, mode, key, end):
    Basket.objects.all().delete()
    Wish.objects.create(session_id=key)
    with mock.patch.object(Session._meta, "related_objects", ()):
        getattr(mode.wrap(store.SessionStore(key)), end)()
    assert not Session.objects.filter(pk=key).exists()
    assert not Wish.objects.exists()


@pytest.mark.parametrize("end", ["delete", "flush", "cycle_key"])
def test_rows_of_other_tables_that_belong_to_the_session_go_too(keep_in, mode, end):
    session = mode.wrap(keep_in(TaggedSession)())
    session.set("colour", "green")
    session.save()
    row = TaggedSession.objects.get()
    row.groups.add(Group.objects.create(name="gardeners"))
    Note.objects.create(about=row)
    getattr(session, end)()
    assert not TaggedSession.objects.filter(pk=row.pk).exists()
    assert not TaggedSession.groups.through.objects.exists()
    assert not Note.objects.exists()
    assert Group.objects.get().name == "gardeners"


@pytest.mark.stores("db")
def test_a_session_in_two_tables_is_written_and_ends_in_both(keep_in, mode):
    SessionStore = keep_in(InheritedSession)
    session = mode.wrap(SessionStore())
    session.set("colour", "green")
    session.save()
    session.set("colour", "blue")
    session.save()
    row = InheritedSession.objects.get()
    assert (row.note, row.get_decoded()) == ("from the store", {"colour": "blue"})
    assert Session.objects.get().get_decoded() == {"colour": "blue"}
    session.flush()
    assert not InheritedSession.objects.exists()
    assert not Session.objects.exists()
