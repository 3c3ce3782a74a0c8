"""Isolation levels, connections set in a site's own way, and transactions committed by hand."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from django.contrib.auth import SESSION_KEY
from django.db import OperationalError, connections, transaction
from django.db.models import signals

from tests import router
from tests.patience import PATIENCE
from tests.stores import in_thread
from tests.subclasses import engines
from tests.subclasses.models import AccountSession

LEVELS = ["REPEATABLE READ", "SERIALIZABLE"]


@pytest.fixture
def open_session(engine, mode):
    SessionStore = engine(engines.path("account"))
    return lambda key=None: mode.wrap(SessionStore(key))


@pytest.fixture
def isolated(request, store):
    """This thread's transactions have the level of the parameter."""
    connection = connections[store.database]
    statement = {
        "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL",
        "mysql": "SET SESSION TRANSACTION ISOLATION LEVEL",
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} {request.param}")
    yield
    connection.close()


def saved(open_session, **data):
    session = open_session()
    session.update(data)
    session.save()
    return session.raw.session_key


@pytest.fixture
def commit_soon():
    """Let the other request commit its change, in a moment: as a rule, one waits for it."""
    return Event()


@pytest.fixture
def overlapping(store, open_session, commit_soon):
    """A loaded session, while another request's change of it is about to be committed."""
    key = saved(open_session, colour="green", **{SESSION_KEY: "1"})
    session, has_saved = open_session(key), Event()
    session.set("size", 3)

    def change():
        with transaction.atomic(using=store.database):
            other = open_session(key)
            other.set("shape", "round")
            other.save()
            has_saved.set()
            assert commit_soon.wait(PATIENCE)
            time.sleep(0.3)
        connections.close_all()

    with ThreadPoolExecutor(max_workers=1) as thread:
        changed = thread.submit(change)
        assert has_saved.wait(PATIENCE)
        yield session
        commit_soon.set()
        changed.result()


both_levels = pytest.mark.parametrize("isolated", LEVELS, indirect=True)
on_servers = pytest.mark.stores("db", database=("postgres", "mariadb"))


@on_servers
@both_levels
@pytest.mark.parametrize("heard", [False, True])
def test_a_save_that_another_has_overtaken_is_merged(
    isolated, overlapping, commit_soon, open_session, heard
):
    def receive(**kwargs):
        pass

    if heard:
        signals.post_save.connect(receive, sender=AccountSession)
    commit_soon.set()
    try:
        overlapping.save()
    finally:
        signals.post_save.disconnect(receive, sender=AccountSession)
    stored = dict(open_session(overlapping.raw.session_key).items())
    assert stored == {"colour": "green", "size": 3, "shape": "round", SESSION_KEY: "1"}


@on_servers
@both_levels
@pytest.mark.parametrize("end", ["flush", "cycle_key"])
def test_so_is_an_end(isolated, overlapping, commit_soon, end):
    key = overlapping.raw.session_key
    commit_soon.set()
    getattr(overlapping, end)()
    assert not AccountSession.objects.filter(pk=key).exists()


@pytest.mark.stores("db", database="postgres")
@both_levels
def test_inside_somebody_else_s_transaction_it_is_their_error(
    isolated, store, overlapping, commit_soon
):
    """They have to begin again: nothing that they read is of any use."""
    with transaction.atomic(using=store.database):
        AccountSession.objects.count()  # the snapshot
        commit_soon.set()
        with pytest.raises(OperationalError):
            overlapping.save()


@pytest.mark.stores("db", database="postgres")
def test_another_error_of_the_database_is_raised(store, open_session):
    key = saved(open_session, colour="green")
    session = open_session(key)
    session.set("size", 3)
    with transaction.atomic(using=store.database):
        AccountSession.objects.select_for_update().get()

        def save_at_once():
            with connections[store.database].cursor() as cursor:
                cursor.execute("SET lock_timeout = 10")
            session.save()

        with pytest.raises(OperationalError, match="lock timeout"):
            in_thread(save_at_once)


@pytest.mark.stores("db", database="mariadb")
@pytest.mark.parametrize("isolated", LEVELS[:1], indirect=True)
def test_a_session_read_by_an_override_is_saved_past_an_old_snapshot(
    isolated, store, engine, mode, monkeypatch
):
    class SessionStore(engine(engines.path("account"))):
        def _get_session_from_db(self):
            return super()._get_session_from_db()

    def open_session(key=None):
        return mode.wrap(SessionStore(key))

    def change(key):
        other = open_session(key)
        other.set("shape", "round")
        other.save()

    key = saved(open_session, colour="green")
    with transaction.atomic(using=store.database):
        session = open_session(key)
        session.set("size", 3)
        in_thread(change, key)
        session.save()
    assert dict(open_session(key).items()) == {"colour": "green", "size": 3, "shape": "round"}


@pytest.mark.stores("db", database="mariadb")
@pytest.mark.parametrize("heard", [False, True])
def test_a_server_that_counts_changed_rows_alone(counting_changed_rows, open_session, heard):
    def receive(**kwargs):
        pass

    if heard:
        signals.post_save.connect(receive, sender=AccountSession)
    try:
        key = saved(open_session, colour="green")
        row = AccountSession.objects.get()
        session = open_session(key)
        session.set("size", 3)
        session.save()
        AccountSession.objects.update(expire_date=row.expire_date)
        session.save()
    finally:
        signals.post_save.disconnect(receive, sender=AccountSession)
    assert dict(open_session(key).items()) == {"colour": "green", "size": 3}


@pytest.mark.stores("cached_db", "db", database="postgres")
@pytest.mark.modes("sync")
def test_what_is_rolled_back_by_hand_is_in_no_copy(store):
    session = store.SessionStore()
    session["colour"] = "green"
    session.save()
    transaction.set_autocommit(False, using=store.database)
    try:
        session["colour"] = "red"
        session.save()
        new = store.SessionStore()
        new["colour"] = "blue"
        new.save()
        transaction.rollback(using=store.database)
    finally:
        transaction.set_autocommit(True, using=store.database)
    assert dict(store.SessionStore(session.session_key).items()) == {"colour": "green"}
    assert dict(store.SessionStore(new.session_key).items()) == {}


@pytest.mark.stores("cached_db", "db", database="postgres")
@pytest.mark.modes("sync")
def test_what_is_committed_by_hand_is_read(store):
    session = store.SessionStore()
    transaction.set_autocommit(False, using=store.database)
    try:
        session["colour"] = "red"
        session.save()
        transaction.commit(using=store.database)
    finally:
        transaction.set_autocommit(True, using=store.database)
    assert dict(store.SessionStore(session.session_key).items()) == {"colour": "red"}


@pytest.mark.stores("db")
def test_a_read_that_finds_the_session_asks_no_router_for_a_place_to_write(
    store, open_session, monkeypatch
):
    """Some take that question for a write, and send what follows to the primary."""
    key = saved(open_session, colour="green")
    asked = []
    original = router.Router.db_for_write

    def db_for_write(self, model, **hints):
        asked.append(model)
        return original(self, model, **hints)

    monkeypatch.setattr(router.Router, "db_for_write", db_for_write)
    assert open_session(key).get("colour") == "green"
    assert asked == []
    assert open_session("a" * 32).get("colour") is None
    assert asked == [AccountSession]
