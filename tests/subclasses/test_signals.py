"""Receivers on the session model hear of each row, with its data, in both modes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import signals
from django.utils import timezone

from tests.subclasses import engines
from tests.subclasses.models import AccountSession

pytestmark = pytest.mark.stores("db")

SAVES = ("pre_save", "post_save")
DELETES = ("pre_delete", "post_delete")


@pytest.fixture(params=["its own model", "every model"])
def heard(request, store):
    """What was heard: signal, created, the row's key and data."""
    model = store.SessionStore.get_model_class()
    sender = model if request.param == "its own model" else None
    heard = []

    def receiver(name):
        def receive(sender, instance, using, **kwargs):
            if isinstance(instance, model):
                assert using == store.database
                data = instance.get_decoded()
                heard.append((name, kwargs.get("created"), instance.session_key, data))

        return receive

    receivers = {name: receiver(name) for name in SAVES + DELETES}
    for name, receive in receivers.items():
        getattr(signals, name).connect(receive, sender=sender)
    yield heard
    for name, receive in receivers.items():
        getattr(signals, name).disconnect(receive, sender=sender)


def saved(store, mode, **data):
    session = mode.wrap(store.SessionStore())
    session.update(data)
    session.save()
    return session


def test_a_new_session_is_heard_of_once(heard, store, mode):
    key = saved(store, mode, colour="green").session_key
    data = {"colour": "green"}
    assert heard == [("pre_save", None, key, data), ("post_save", True, key, data)]


def test_a_changed_session_is_heard_of_with_its_new_data(heard, store, mode):
    key = saved(store, mode, colour="green").session_key
    heard.clear()
    session = mode.wrap(store.SessionStore(key))
    session.set("colour", "blue")
    session.save()
    data = {"colour": "blue"}
    assert heard == [("pre_save", None, key, data), ("post_save", False, key, data)]


def test_what_a_receiver_of_pre_save_changes_is_stored(store, mode):
    session = saved(store, mode, colour="green")
    ends = (timezone.now() + timedelta(days=1)).replace(microsecond=0)

    def receive(sender, instance, **kwargs):
        instance.expire_date = ends

    model = store.SessionStore.get_model_class()
    signals.pre_save.connect(receive, sender=model)
    try:
        session.set("colour", "blue")
        session.save()
    finally:
        signals.pre_save.disconnect(receive, sender=model)
    assert model.objects.get().expire_date == ends


def test_a_receiver_that_refuses_a_save_leaves_the_row_as_it_was(store, mode):
    session = saved(store, mode, colour="green")

    def receive(sender, **kwargs):
        raise RuntimeError("refused")

    model = store.SessionStore.get_model_class()
    signals.post_save.connect(receive, sender=model)
    try:
        session.set("colour", "blue")
        with pytest.raises(RuntimeError, match="refused"):
            session.save()
    finally:
        signals.post_save.disconnect(receive, sender=model)
    assert mode.wrap(store.SessionStore(session.session_key)).get("colour") == "green"


@pytest.mark.parametrize("end", ["delete", "flush"])
def test_an_ended_session_is_heard_of_with_the_data_that_was_stored(heard, store, mode, end):
    key = saved(store, mode, colour="green").session_key
    heard.clear()
    session = mode.wrap(store.SessionStore(key))
    session.set("colour", "never stored")
    getattr(session, end)()
    data = {"colour": "green"}
    assert heard == [("pre_delete", None, key, data), ("post_delete", None, key, data)]


def test_a_cycled_key_is_heard_of_as_a_new_row_and_the_end_of_the_old(heard, store, mode):
    session = saved(store, mode, colour="green")
    old = session.session_key
    heard.clear()
    session.cycle_key()
    assert sorted(heard) == sorted(
        [
            ("pre_save", None, session.session_key, {"colour": "green"}),
            ("post_save", True, session.session_key, {"colour": "green"}),
            ("pre_delete", None, old, {"colour": "green"}),
            ("post_delete", None, old, {"colour": "green"}),
        ]
    )


def test_a_session_that_is_gone_already_ends_unheard(heard, store, mode):
    session = saved(store, mode, colour="green")
    store.SessionStore.get_model_class().objects.all().delete()
    heard.clear()
    session.delete()
    assert heard == []


def test_each_expired_session_is_heard_of(heard, store, mode):
    keys = [saved(store, mode, number=number).session_key for number in range(3)]
    model = store.SessionStore.get_model_class()
    model.objects.filter(session_key__in=keys[1:]).update(
        expire_date=timezone.now() - timedelta(days=1)
    )
    heard.clear()
    mode.wrap(store.SessionStore).clear_expired()
    assert sorted(entry for entry in heard if entry[0] == "pre_delete") == sorted(
        ("pre_delete", None, key, {"number": number}) for number, key in enumerate(keys) if number
    )
    assert len(heard) == 4


def test_receivers_on_a_model_of_one_s_own_see_its_columns(engine, mode, user):
    SessionStore = engine(engines.path("account"))
    heard = []

    def receive(sender, instance, **kwargs):
        heard.append(instance.account_id)

    signals.post_save.connect(receive, sender=AccountSession)
    signals.pre_delete.connect(receive, sender=AccountSession)
    try:
        session = mode.wrap(SessionStore())
        session.set("_auth_user_id", str(user.pk))
        session.save()
        session.save()
        session.flush()
    finally:
        signals.post_save.disconnect(receive, sender=AccountSession)
        signals.pre_delete.disconnect(receive, sender=AccountSession)
    assert heard == [user.pk] * 3
