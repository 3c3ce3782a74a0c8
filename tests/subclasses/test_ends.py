"""Rows that go in another way than through the store that keeps copies of them."""

from __future__ import annotations

import gc
import weakref
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.checks import Warning as CheckWarning
from django.db import models
from django.db.models import signals
from django.test.utils import isolate_apps
from django.utils import timezone

from dj_sessions.backends import cached_db, db
from dj_sessions.base_session import AbstractBaseSession
from dj_sessions.checks.stores import check_cascade
from dj_sessions.storage.rows import ends
from dj_sessions.storage.rows.watchers import delete_is_watched, receivers_of
from tests.counters import statements
from tests.subclasses.models import (
    AccountSession,
    Basket,
    DeviceSession,
    EvenMoreReadableSession,
    InheritedSession,
    NumberedSession,
    ReadableInheritedSession,
    ReadableSession,
)

on_one_database = [pytest.mark.stores("db", database="sqlite"), pytest.mark.modes("sync")]
KEY = "k" * 32


class Hearer:
    """Keeps copies, and notes the keys of the rows of which it is told."""

    def __init__(self):
        self.heard = []

    def ended(self, session_key):
        self.heard.append(session_key)


def row_of(model, key=KEY, **columns):
    ends_at = timezone.now() + timedelta(days=1)
    return model.objects.create(session_key=key, expire_date=ends_at, **columns)


@pytest.fixture
def hearer():
    return Hearer()


# Watching


def later_proxy():
    with isolate_apps("tests.subclasses"):

        class LaterSession(ReadableSession):
            class Meta:
                app_label = "subclasses"
                proxy = True

    return LaterSession


def with_a_child(model):
    """Delete through a model that is not the child, of which each row has one."""
    parent = Session.objects.get(pk=KEY)
    InheritedSession(session_ptr=parent, note="more").save_base(raw=True)
    model.objects.filter(pk=KEY).delete()
    assert not InheritedSession.objects.exists()


DELETIONS = {
    "query set": lambda: Session.objects.filter(pk=KEY).delete(),
    "row": lambda: Session.objects.get(pk=KEY).delete(),
    "row unread": lambda: Session(session_key=KEY).delete(),
    "async": lambda: async_to_sync(Session.objects.filter(pk=KEY).adelete)(),
    "base manager": lambda: Session._base_manager.filter(pk=KEY).delete(),
    "manager": lambda: Session.objects.save(KEY, {}, timezone.now()),
    "proxy's query set": lambda: ReadableSession.objects.filter(pk=KEY).delete(),
    "proxy's row": lambda: ReadableSession.objects.get(pk=KEY).delete(),
    "proxy's rows": lambda: ReadableSession.objects.all().delete(),
    "proxy's proxy": lambda: EvenMoreReadableSession.objects.all().delete(),
    "later proxy": lambda: later_proxy().objects.all().delete(),
    "with a child": lambda: with_a_child(Session),
    "proxy with a child": lambda: with_a_child(ReadableSession),
    "proxy's proxy with a child": lambda: with_a_child(EvenMoreReadableSession),
}
WITH_CHILD = {
    "child's query set": lambda: InheritedSession.objects.filter(pk=KEY).delete(),
    "child's row": lambda: InheritedSession.objects.get(pk=KEY).delete(),
    "child's proxy": lambda: ReadableInheritedSession.objects.all().delete(),
    "child's proxy's row": lambda: ReadableInheritedSession.objects.get(pk=KEY).delete(),
}


@pytest.fixture
def watched(store, hearer):
    ends.watch(Session, hearer.ended)
    return hearer


class TestWatching:
    pytestmark = on_one_database

    @pytest.mark.parametrize("how", DELETIONS)
    def test_a_row_that_goes_is_told_once(self, watched, how):
        row_of(Session)
        DELETIONS[how]()
        assert not Session.objects.exists()
        assert watched.heard == [KEY]

    @pytest.mark.parametrize("how", WITH_CHILD)
    def test_so_is_one_that_goes_with_a_child_s(self, watched, how):
        row_of(InheritedSession)
        WITH_CHILD[how]()
        assert not Session.objects.exists()
        assert watched.heard == [KEY]

    def test_a_row_that_outlives_a_child_s_is_not(self, watched):
        row_of(InheritedSession).delete(keep_parents=True)
        assert Session.objects.exists()
        assert watched.heard == []

    @pytest.mark.parametrize("origin", [ReadableSession, InheritedSession])
    def test_each_deletion_is_told_also_if_one_object_is_deleted_again(self, watched, origin):
        row = row_of(origin)
        rows = origin.objects.filter(pk=KEY)
        for end in (row.delete, row.delete, rows.delete, rows.delete):
            if not Session.objects.exists():
                row_of(origin)
            row.pk = KEY
            end()
        assert watched.heard == [KEY] * 4

    def test_every_row_of_many_is_told(self, watched):
        keys = {f"{number:032}" for number in range(20)}
        for key in keys:
            row_of(Session, key)
        ReadableSession.objects.all().delete()
        assert set(watched.heard) == keys
        assert len(watched.heard) == len(keys)

    @pytest.mark.parametrize("deleted", [InheritedSession, ReadableInheritedSession, Session])
    def test_a_child_may_be_the_model_that_is_watched(self, store, hearer, deleted):
        ends.watch(InheritedSession, hearer.ended)
        row_of(InheritedSession)
        deleted.objects.all().delete()
        assert hearer.heard == [KEY]

    @pytest.mark.parametrize("deleted", [ReadableSession, Session, EvenMoreReadableSession])
    def test_so_may_a_proxy(self, store, hearer, deleted):
        ends.watch(ReadableSession, hearer.ended)
        row_of(Session)
        deleted.objects.all().delete()
        assert hearer.heard == [KEY]

    def test_rows_of_an_account_that_goes_are_told(self, store, hearer):
        ends.watch(DeviceSession, hearer.ended)
        ada = get_user_model().objects.create_user("ada")
        row_of(DeviceSession, user=ada)
        ada.delete()
        assert hearer.heard == [KEY]

    def test_a_key_that_was_not_loaded_is_told(self, store, hearer):
        ends.watch(NumberedSession, hearer.ended)
        row_of(NumberedSession)
        NumberedSession.objects.only("pk").get().delete()
        row_of(NumberedSession)
        NumberedSession.objects.defer("session_key").delete()
        assert hearer.heard == [KEY, KEY]

    def test_what_a_store_ends_itself_is_not_told(self, watched):
        row = row_of(Session)
        row.is_ended_by_its_store = True
        row.delete()
        assert watched.heard == []

    def test_everybody_hears_and_nobody_twice(self, watched):
        other = Hearer()
        ends.watch(ReadableSession, other.ended)
        ends.watch(Session, other.ended)
        row_of(Session).delete()
        assert watched.heard == other.heard == [KEY]

    def test_who_is_no_more_hears_nothing_and_leaves_nothing(self, watched):
        class Gone(Hearer):
            pass

        gone = Gone()
        ends.watch(Session, gone.ended)
        reference = weakref.ref(gone)
        del gone
        gc.collect()
        assert reference() is None
        for _ in range(50):
            ends.watch(Session, Hearer().ended)
        assert len(ends.audiences[Session]._hearers) <= 2
        row_of(Session).delete()
        assert watched.heard == [KEY]

    def test_watching_adds_no_more_than_one_receiver_for_each_model(self, watched):
        before = len(signals.post_delete.receivers)
        hearers = [Hearer() for _ in range(20)]
        for hearer in hearers:
            ends.watch(Session, hearer.ended)
        assert len(signals.post_delete.receivers) == before

    def test_rows_of_other_models_still_go_by_one_statement(self, watched):
        assert not signals.post_delete.has_listeners(Basket)
        assert not signals.post_delete.has_listeners(AccountSession)
        row_of(AccountSession)
        with statements() as seen:
            AccountSession.objects.all().delete()
        assert len([sent for sent in seen if "subclasses_accountsession" in str(sent)]) == 1

    @pytest.mark.parametrize("model", [AccountSession, NumberedSession, ReadableSession])
    def test_own_receivers_keep_nobody_from_prepared_statements(self, store, hearer, model):
        before = delete_is_watched(model)
        ends.watch(model, hearer.ended)
        assert signals.post_delete.has_listeners(model)
        assert delete_is_watched(model) is before
        assert not list(receivers_of("pre_delete", model))
        assert not list(receivers_of("post_delete", model))


class TestTelling:
    pytestmark = on_one_database

    def test_everybody_is_told_but_who_tells(self, watched):
        other = Hearer()
        ends.watch(Session, other.ended)
        ends.tell(ReadableSession, KEY, by=other)
        assert watched.heard == [KEY]
        assert other.heard == []
        ends.tell(Session, KEY)
        assert watched.heard == [KEY, KEY]
        assert other.heard == [KEY]

    def test_nobody_hears_of_another_table(self, watched):
        ends.tell(AccountSession, KEY)
        assert watched.heard == []


# The copies of cached_db

copied = pytest.mark.stores("cached_db")


def saved(SessionStore, mode):
    """The key of a session that is logged in, with a copy."""
    session = mode.wrap(SessionStore())
    session.set("_auth_user_id", "1")
    session.save()
    assert mode.wrap(SessionStore(session.session_key)).get("_auth_user_id") == "1"
    return session.session_key


@copied
@pytest.mark.parametrize("deleted", [ReadableSession, EvenMoreReadableSession, later_proxy])
def test_a_row_deleted_as_one_of_a_proxy_logs_out(store, mode, deleted):
    key = saved(store.SessionStore, mode)
    model = deleted() if deleted is later_proxy else deleted
    model.objects.filter(pk=key).delete()
    assert mode.wrap(store.SessionStore(key)).get("_auth_user_id") is None


@copied
def test_every_store_of_a_factory_hears_of_its_rows(store, mode):
    def store_for(tenant):
        class SessionStore(store.SessionStore):
            cache_key_prefix = f"{tenant}.sessions"

        return SessionStore

    stores = {tenant: store_for(tenant) for tenant in ("blue", "green", "red")}
    keys = {tenant: saved(SessionStore, mode) for tenant, SessionStore in stores.items()}
    for tenant, SessionStore in stores.items():
        Session.objects.filter(pk=keys[tenant]).delete()
        assert mode.wrap(SessionStore(keys[tenant])).get("_auth_user_id") is None


@pytest.mark.stores("cached_db", cache="locmem")
@pytest.mark.modes("sync")
def test_stores_that_nobody_has_any_more_are_collected(store):
    def open_and_forget():
        class SessionStore(store.SessionStore):
            pass

        SessionStore("a" * 32)
        return weakref.ref(SessionStore)

    made = [open_and_forget() for _ in range(50)]
    gc.collect()
    assert [reference() for reference in made] == [None] * 50
    store.SessionStore()
    assert len(ends.audiences[Session]._hearers) == len(cached_db._watching) == 1


@copied
@pytest.mark.parametrize("end", ["delete", "flush", "cycle_key"])
def test_what_the_db_store_ends_logs_out(store, mode, end):
    key = saved(store.SessionStore, mode)
    getattr(mode.wrap(db.SessionStore(key)), end)()
    assert mode.wrap(store.SessionStore(key)).get("_auth_user_id") is None


@copied
def test_a_key_that_the_db_store_is_given_to_delete_logs_out(store, mode):
    key = saved(store.SessionStore, mode)
    mode.wrap(db.SessionStore()).delete(key)
    assert mode.wrap(store.SessionStore(key)).get("_auth_user_id") is None


@copied
def test_the_db_store_also_ends_the_copy_of_a_row_that_is_gone(store, mode):
    key = saved(store.SessionStore, mode)
    Session.objects.filter(pk=key)._raw_delete(store.database)
    assert mode.wrap(store.SessionStore(key)).get("_auth_user_id") == "1"
    mode.wrap(db.SessionStore(key)).delete()
    assert mode.wrap(store.SessionStore(key)).get("_auth_user_id") is None


@copied
def test_what_the_db_store_saves_is_read(store, mode):
    key = saved(store.SessionStore, mode)
    session = mode.wrap(db.SessionStore(key))
    session.set("_auth_user_id", "2")
    session.save()
    assert mode.wrap(store.SessionStore(key)).get("_auth_user_id") == "2"
    session = mode.wrap(store.SessionStore(key))
    session.set("_auth_user_id", "3")
    session.save()
    assert mode.wrap(store.SessionStore(key)).get("_auth_user_id") == "3"


@copied
def test_a_subclass_ends_the_copy_of_the_store_that_it_was_made_from(store, mode):
    class SessionStore(store.SessionStore):
        cache_key_prefix = "own.sessions"

    key = saved(store.SessionStore, mode)
    mode.wrap(SessionStore(key)).delete()
    assert mode.wrap(store.SessionStore(key)).get("_auth_user_id") is None


@copied
def test_two_stores_with_one_prefix_leave_each_other_s_copies(store, mode):
    class SessionStore(store.SessionStore):
        pass

    key = saved(store.SessionStore, mode)
    session = mode.wrap(SessionStore(key))
    session.set("colour", "green")
    session.save()
    with statements() as seen:
        assert mode.wrap(store.SessionStore(key)).get("colour") == "green"
    assert seen == []


# The check


@pytest.mark.skipif(not hasattr(models, "DB_CASCADE"), reason="DB_CASCADE came with Django 6.1")
class TestCheck:
    pytestmark = on_one_database

    @pytest.fixture
    def model(self):
        with isolate_apps("tests.subclasses"):

            class CascadingSession(AbstractBaseSession):
                account = models.ForeignKey("auth.User", models.DB_CASCADE, null=True)
                group = models.ForeignKey("auth.Group", models.CASCADE, null=True)
                note = models.ForeignKey("auth.Permission", models.DB_SET_NULL, null=True)

                class Meta(AbstractBaseSession.Meta):
                    app_label = "subclasses"

        return CascadingSession

    @pytest.fixture
    def said(self, model, monkeypatch, settings, store):
        def said(engine):
            class SessionStore(engine.SessionStore):
                get_model_class = classmethod(lambda cls: model)

            monkeypatch.setattr(f"{engine.__name__}.SessionStore", SessionStore)
            settings.SESSION_ENGINE = engine.__name__
            return list(check_cascade(None))

        return said

    def test_a_foreign_key_by_which_the_database_deletes_sessions_is_named(self, said):
        [message] = said(cached_db)
        assert isinstance(message, CheckWarning)
        assert message.id == "dj_sessions.W039"
        assert message.msg.startswith(
            "subclasses.CascadingSession.account has on_delete=DB_CASCADE"
        )
        assert "on_delete=CASCADE" in message.hint
        assert "SessionStore(key).delete()" in message.hint

    def test_without_copies_nothing_is(self, said):
        assert said(db) == []


@copied
@pytest.mark.modes("sync")
def test_a_model_that_no_row_of_leaves_by_itself_is_not_named(store, keep_in):
    for model in (Session, DeviceSession, InheritedSession):
        keep_in(model)
        assert list(check_cascade(None)) == []


@pytest.mark.stores("db", "cached_db")
def test_a_receiver_that_nobody_has_any_more_forces_no_row_through_the_orm(store):
    def receive(**facts):
        """Is gone when the test goes on."""

    model = store.SessionStore.get_model_class()
    watching = type("Watching", (), {"hear": lambda self, key: None})()
    ends.watch(model, watching.hear)
    signals.post_delete.connect(receive, sender=model)
    del receive
    gc.collect()
    assert list(receivers_of("post_delete", model)) == []
