"""A watched row is compared and replaced in one step, and shown to its watchers as by Django."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module

import pytest
from django.db import DatabaseError, connections, models, transaction
from django.db.models import signals

from dj_sessions.exceptions import SessionEnded, UpdateError
from dj_sessions.storage.rows import orm
from tests.contract.costs import DJANGO, OURS, unheard
from tests.stores import in_thread
from tests.subclasses.models import AccountSession, DeviceSession, InheritedSession, TrackedSession

pytestmark = pytest.mark.stores("db")

SAVES = ("pre_save", "post_save")
ENDS = ("pre_delete", "post_delete")


@pytest.fixture
def listen():
    """Have a function called with the name of a signal and what it is sent with."""
    connected = []

    def connect(function, *names, sender=None):
        for name in names:

            def receive(sender, name=name, **kwargs):
                function(name, sender=sender, **kwargs)

            getattr(signals, name).connect(receive, sender=sender)
            connected.append((getattr(signals, name), receive, sender))

    def forget():
        while connected:
            signal, receive, sender = connected.pop()
            signal.disconnect(receive, sender=sender)

    connect.forget = forget
    yield connect
    forget()


@pytest.fixture(params=[AccountSession, InheritedSession, TrackedSession])
def model(request):
    return request.param


@pytest.fixture
def on(keep_in, mode):
    def on(model):
        SessionStore = keep_in(model)
        return lambda key=None: mode.wrap(SessionStore(key))

    return on


def saved(open_session, **data):
    session = open_session()
    session.update(data)
    session.save()
    return session.raw.session_key


def change(open_session, key, name):
    session = open_session(key)
    session.set(name, 3)
    session.save()


def data(open_session, key):
    return dict(open_session(key).items())


# What others do meanwhile


@pytest.fixture
def meanwhile(on, listen, model, store):
    """A session that is about to be saved, when something happens after pre_save was told."""
    if model is TrackedSession and connections[store.database].vendor == "sqlite":
        pytest.skip("its save() reads first, and nobody writes while SQLite's journal is read")
    open_session = on(model)
    key = saved(open_session, colour="green")
    session, told = open_session(key), []
    session.set("size", 3)

    def begin(act):
        def receive(name, sender, instance, **kwargs):
            if sender is model:
                decoded = session.raw.decode(instance.session_data)
                told.append((name, sorted(decoded)))
                if len(told) == 1:
                    in_thread(act, key)

        listen(receive, *SAVES)
        return told

    return session, key, open_session, begin


def test_what_another_request_saved_meanwhile_is_merged(meanwhile):
    session, key, open_session, begin = meanwhile
    told = begin(lambda key: change(open_session, key, "shape"))
    session.save()
    assert data(open_session, key) == {"colour": "green", "size": 3, "shape": 3}
    # Ours, theirs, and ours again; of what did not come about nobody is told that it has.
    names, keys = [name for name, _ in told], [keys for _, keys in told]
    assert names == ["pre_save", "pre_save", "post_save", "pre_save", "post_save"]
    assert keys[-1] == ["colour", "shape", "size"]


def test_a_session_that_ended_meanwhile_is_not_brought_back(meanwhile, model):
    session, _, open_session, begin = meanwhile
    told = begin(lambda key: open_session(key).flush())
    with pytest.raises(UpdateError):
        session.save()
    assert not model.objects.exists()
    assert [name for name, _ in told] == ["pre_save"]


def test_what_a_receiver_wrote_for_a_save_that_was_lost_is_undone(on, listen, store):
    open_session = on(AccountSession)
    key = saved(open_session, colour="green")
    session, told = open_session(key), []
    session.set("size", 3)

    def change_and_note(name, instance, using, **kwargs):
        told.append(name)
        note = {"session_data": "", "expire_date": instance.expire_date}
        DeviceSession.objects.using(using).create(session_key=f"note {len(told)}", **note)
        if len(told) == 1:
            AccountSession.objects.using(using).filter(pk=key).update(session_data="another")

    listen(change_and_note, "pre_save", sender=AccountSession)
    session.save()
    assert told == ["pre_save"] * 2
    assert DeviceSession.objects.get().pk == "note 2"
    assert data(open_session, key) == {"colour": "green", "size": 3}


@pytest.mark.stores("db", database="sqlite")
def test_a_receiver_that_read_before_another_wrote_is_asked_again(on, listen, store):
    """SQLite refuses to write on what was read before: at once, beside a write-ahead log."""
    with connections[store.database].cursor() as cursor:
        cursor.execute("PRAGMA journal_mode = WAL")
    open_session = on(AccountSession)
    key = saved(open_session, colour="green")
    session, read = open_session(key), []
    session.set("size", 3)

    def read_first(name, sender, using, **kwargs):
        if not read:
            read.append(AccountSession.objects.using(using).count())
            in_thread(change, open_session, key, "shape")

    listen(read_first, "pre_save", sender=AccountSession)
    try:
        session.save()
        assert data(open_session, key) == {"colour": "green", "size": 3, "shape": 3}
    finally:
        connections.close_all()
        with connections[store.database].cursor() as cursor:
            cursor.execute("PRAGMA journal_mode = DELETE")


@pytest.mark.parametrize("where", ["in autocommit", "in a transaction"])
def test_a_new_key_takes_along_what_was_saved_beside_receivers(on, listen, model, store, where):
    told = []
    listen(lambda name, sender, **kwargs: told.append((name, sender)), *ENDS)
    open_session = on(model)
    key = saved(open_session, colour="green")
    session = open_session(key)
    assert session.get("colour") == "green"
    change(open_session, key, "size")
    if where == "in autocommit":
        session.cycle_key()
    else:
        with transaction.atomic(using=store.database):
            session.cycle_key()
    assert data(open_session, session.raw.session_key) == {"colour": "green", "size": 3}
    assert model.objects.count() == 1
    assert [entry for entry in told if entry[1] is model] == [(name, model) for name in ENDS]


def test_a_login_that_was_ended_meanwhile_is_not_taken_along_beside_receivers(on, listen, model):
    listen(lambda name, **kwargs: None, *ENDS)
    open_session = on(model)
    key = saved(open_session, _auth_user_id="1")
    session = open_session(key)
    assert session.get("_auth_user_id") == "1"
    open_session(key).flush()
    session.cycle_key()
    with pytest.raises(SessionEnded):
        session.save()
    assert not model.objects.exists()


# What a save() of a model's own may do


def twice(row, *args, **kwargs):
    models.Model.save(row, *args, **kwargs)
    row.account_id = 7
    models.Model.save(row, update_fields=["account_id"], using=kwargs["using"])


def without_arguments(row, *args, **kwargs):
    models.Model.save(row, using=kwargs["using"], force_insert=kwargs.get("force_insert", False))


def keeping_errors_to_itself(row, *args, **kwargs):
    with suppress(DatabaseError):
        models.Model.save(row, *args, **kwargs)


def past_the_orm(row, *args, using, force_insert=False, **kwargs):
    if force_insert:
        models.Model.save(row, using=using, force_insert=True)
    else:
        same = AccountSession.objects.using(using).filter(pk=row.pk)
        same.update(session_data=row.session_data, expire_date=row.expire_date)


WAYS = [twice, without_arguments, keeping_errors_to_itself, past_the_orm]


@pytest.fixture(params=WAYS)
def open_own(request, on, monkeypatch):
    """Open sessions of a model with one of these as its save()."""
    monkeypatch.setattr(orm, "SAVING_PAST_THE_ORM", set())
    monkeypatch.setattr(AccountSession, "save", request.param)
    return on(AccountSession)


def test_changes_are_merged_whatever_way_a_model_saves(open_own):
    key = saved(open_own, colour="green")
    one, other = open_own(key), open_own(key)
    for session, name in ((one, "size"), (other, "shape")):
        session.set(name, 3)
    for session in (one, other):
        session.save()
        session.set("again", 1)
        session.save()
    assert data(open_own, key) == {"colour": "green", "size": 3, "shape": 3, "again": 1}


def test_what_was_ended_stays_ended_whatever_way_a_model_saves(open_own):
    key = saved(open_own, colour="green")
    session = open_own(key)
    session.set("size", 3)
    open_own(key).flush()
    with pytest.raises(UpdateError):
        session.save()
    assert not AccountSession.objects.exists()


def test_a_row_that_was_saved_is_an_instance_like_any_other(on, listen):
    rows = []
    listen(lambda name, instance, **kwargs: rows.append(instance), "post_save")
    open_session = on(AccountSession)
    change(open_session, saved(open_session, colour="green"), "size")
    created, changed = (row for row in rows if isinstance(row, AccountSession))
    assert set(vars(created)) == set(vars(changed))
    changed.delete()
    assert not AccountSession.objects.exists()


# What receivers are told


@pytest.mark.parametrize("where", ["in autocommit", "in a transaction"])
def test_receivers_are_told_what_django_tells_them(keep_in, listen, mode, store, where):
    told = {OURS: [], DJANGO: []}

    def live(package):
        class SessionStore(import_module(f"{package}.backends.db").SessionStore):
            @classmethod
            def get_model_class(cls):
                return AccountSession

        def note(name, sender, instance, signal, **sent):
            connection = connections[sent["using"]]
            sent["origin"] = sent.get("origin", instance) is instance
            state = instance._state.adding, instance._state.db
            inside = connection.in_atomic_block, sum(map(bool, connection.savepoint_ids))
            data = SessionStore().decode(instance.session_data)
            told[package].append((name, data, sent, state, inside))

        listen(note, *SAVES, *ENDS, sender=AccountSession)
        session = mode.wrap(SessionStore())
        session.set("colour", "green")
        session.save()
        session.set("size", 3)
        session.save()
        session.cycle_key()
        session.flush()

    for package in told:
        with unheard(package):
            if where == "in autocommit":
                live(package)
            else:
                with transaction.atomic(using=store.database):
                    live(package)
            listen.forget()
    assert len(told[OURS]) == 10
    assert told[OURS] == told[DJANGO]


@pytest.mark.parametrize("end", ["flush", "cycle_key"])
@pytest.mark.parametrize("name", ENDS)
def test_a_receiver_that_refuses_the_end_of_a_session_keeps_it(on, listen, name, end):
    def refuse(name, **kwargs):
        raise RuntimeError("refused")

    open_session = on(AccountSession)
    key = saved(open_session, colour="green")
    listen(refuse, name, sender=AccountSession)
    with pytest.raises(RuntimeError, match="refused"):
        getattr(open_session(key), end)()
    assert data(open_session, key) == {"colour": "green"}
