"""Ending a user's sessions: for good, also in the middle of what other requests do."""

from __future__ import annotations

import signal
from unittest import mock

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import SESSION_KEY, get_user_model
from django.db import connections, transaction
from django.test import override_settings
from django.utils import timezone

from dj_sessions import _keys
from dj_sessions._session.modes import finish, in_sync
from dj_sessions.backends import cached_db, db, redis
from dj_sessions.exceptions import SessionEnded, UpdateError
from dj_sessions.management._interruption import Interrupted
from dj_sessions.signals import EndReason, session_ended
from dj_sessions.storage.moving import Carried
from dj_sessions.storage.rows import ends
from dj_sessions.user_sessions import (
    aend_sessions,
    asessions_of,
    end_sessions,
    ending,
    listing,
    sessions_of,
    table,
)
from dj_sessions.user_sessions.models import UserSession
from tests import router
from tests.contract.moments import after, before, instead
from tests.counters import statements
from tests.stores import in_thread
from tests.user_sessions.conftest import ONE_OF_EACH
from tests.user_sessions.rows import login_of

pytestmark = pytest.mark.stores(name=ONE_OF_EACH)


@pytest.fixture
def lives(store):
    """Whether the session of a key is in the store, and somebody's."""
    return lambda key: SESSION_KEY in store.SessionStore(key)


@pytest.fixture
def told():
    reasons = []

    def note(sender, public_id, reason, **kwargs):
        reasons.append((public_id, reason))

    session_ended.connect(note)
    yield reasons
    session_ended.disconnect(note)


def test_a_row_ends_its_session(log_in, user, lives, mode, told):
    session = log_in(user)
    [row] = sessions_of(user)
    assert mode.wrap(row).end()
    assert not lives(session.session_key)
    assert list(sessions_of(user)) == []
    assert told == [(session.public_id, EndReason.ENDED)]
    assert not mode.wrap(row).end()


@pytest.mark.modes("async")
def test_async_code_lists_and_ends_them_too(log_in, user, lives, told):
    here, there = log_in(user), log_in(user)
    rows = async_to_sync(asessions_of)(user)
    assert {row.public_id for row in rows} == {here.public_id, there.public_id}
    deed = async_to_sync(aend_sessions)
    assert deed(user, keep=here.raw, reason=EndReason.DEACTIVATED) == 1
    assert [lives(here.session_key), lives(there.session_key)] == [True, False]
    assert told == [(there.public_id, EndReason.DEACTIVATED)]


def test_all_but_the_present_one(log_in, user, lives, told):
    here, there, elsewhere = (log_in(user) for _ in range(3))
    other = log_in(get_user_model().objects.create_user("bob"))
    assert end_sessions(user, keep=here.raw) == 2
    assert [lives(each.session_key) for each in (here, there, elsewhere, other)] == [
        *(True, False, False, True)
    ]
    assert {name for name, _ in told} == {there.public_id, elsewhere.public_id}


def test_a_session_of_nobody_that_ends_one_of_somebody(log_in, user, store, mode):
    theirs = log_in(user)
    mine = mode.wrap(store.SessionStore())
    mine.save()
    mine.delete(theirs.session_key)
    assert list(UserSession.objects.all()) == []


def test_the_sessions_of_many_users(log_in, user, lives):
    bob = get_user_model().objects.create_user("bob")
    keys = [log_in(each).session_key for each in (user, bob)]
    assert end_sessions(get_user_model().objects.all()) == 2
    assert not any(map(lives, keys))


def test_a_request_under_way_does_not_bring_it_back(log_in, user, lives, store, mode):
    key = log_in(user).session_key
    under_way = mode.wrap(store.SessionStore(key))
    assert under_way.get(SESSION_KEY)
    end_sessions(user)
    under_way.set("colour", "green")
    with pytest.raises(UpdateError):
        under_way.save()
    under_way.cycle_key()
    with pytest.raises(SessionEnded):
        under_way.save()
    assert not lives(key)
    assert list(sessions_of(user)) == []


def test_a_login_is_ended_that_is_listed_and_not_stored_yet(log_in, user, store):
    """Its record comes between the list's and the end; it is stored under another key, or not."""
    with before(store.Storage, "insert", lambda: end_sessions(user)):
        session = log_in(user)
    # What was about to be stored could not be; what is stored is newer than the end.
    [row] = sessions_of(user)
    assert row.public_id == session.public_id
    assert end_sessions(user) == 1


def test_a_login_over_an_anonymous_session_is_ended_that_is_not_stored_yet(
    user, lives, store, mode
):
    session = mode.wrap(store.SessionStore())
    session.set("colour", "green")
    session.save()
    session.update(login_of(user))
    with before(store.Storage, "replace", lambda: end_sessions(user)), pytest.raises(UpdateError):
        session.save()
    assert not lives(session.session_key)
    assert list(sessions_of(user)) == []


def test_a_login_over_the_session_of_somebody_else_stays_listed(log_in, user, lives, store):
    """It is newer than an end that comes before it is stored, which leaves the other user's alone.

    As where code sets the keys of a login, and the key of the session stays.
    """
    session = log_in(get_user_model().objects.create_user("bob"))
    session.update(login_of(user))
    with before(store.Storage, "replace", lambda: end_sessions(user)) as ended:
        session.save()
    assert ended == [0]
    assert [row.public_id for row in sessions_of(user)] == [session.public_id]
    assert end_sessions(user) == 1
    assert not lives(session.session_key)


def test_who_comes_back_to_a_session_that_is_ended_twice_begins_anew(log_in, user, store, mode):
    """What keeps the place of the ended session is nobody's to go on with."""
    key = log_in(user).session_key
    rows = list(sessions_of(user))
    under_way = mode.wrap(store.SessionStore(key))
    assert under_way.get(SESSION_KEY)
    with before(UserSession, "end", lambda: end_sessions(user)):
        assert not rows[0].end()
    under_way.set("colour", "green")
    with pytest.raises(UpdateError):
        under_way.save()
    back = mode.wrap(store.SessionStore(key))
    assert back.get(SESSION_KEY) is None
    assert dict(back.raw._session) == {}
    back.update(login_of(user))
    back.cycle_key()
    assert set(store.SessionStore(back.session_key).keys()) == set(login_of(user))
    assert end_sessions(user) == 1


@pytest.mark.parametrize("moment", [before, after])
@pytest.mark.parametrize("step", ["insert", "move"])
def test_a_key_that_changes_meanwhile_saves_no_session(log_in, user, lives, store, moment, step):
    session = log_in(user)
    key = session.session_key
    with moment(store.Storage, step, lambda: end_sessions(user)):
        session.cycle_key()
    left = [each for each in (key, session.raw._session_key) if each and lives(each)]
    assert left == []
    assert list(sessions_of(user)) == []


def test_nothing_is_ended_where_the_transaction_is_rolled_back(log_in, user, lives, store):
    if store.kind not in ("db", "cached_db"):
        pytest.skip("its store knows of no transaction")
    key = log_in(user).session_key
    with pytest.raises(ZeroDivisionError), transaction.atomic(store.database):  # noqa: PT012
        end_sessions(user)
        raise ZeroDivisionError
    assert lives(key)
    assert len(sessions_of(user)) == 1


def test_a_session_that_its_store_has_lost_is_not_shown(log_in, user, store, clock):
    session = log_in(user)
    store.SessionStore().get_storage().remove(session.session_key)
    assert list(sessions_of(user)) == []
    assert UserSession.objects.count() == 1  # it may be about to be stored
    clock.move(61)
    assert list(sessions_of(user)) == []
    assert UserSession.objects.count() == 0


def test_in_two_forms_of_keys(log_in, user, lives, store, mode, settings):
    session = log_in(user)
    settings.SESSION_KEY_STORAGE = ["hashed", "plain"]
    assert len(sessions_of(user)) == 1
    session = mode.wrap(store.SessionStore(session.session_key))
    session.set("colour", "green")
    session.save()
    [row] = sessions_of(user)
    assert row.public_id == session.public_id
    is_renamed = store.SessionStore().get_storage().atomic_rename
    assert _keys.is_hashed(row.stored_key) == is_renamed
    second = log_in(user)
    assert [_keys.is_hashed(each.stored_key) for each in sessions_of(user)] == [True, is_renamed]
    settings.SESSION_KEY_STORAGE = ["plain", "hashed"]
    assert end_sessions(user, keep=second.raw) == 1
    assert not lives(session.session_key)
    assert lives(second.session_key)


@pytest.mark.stores(name="redis")
@pytest.mark.parametrize("engine", ["dj_sessions.backends.moving", "shop.sessions", "os"])
def test_a_session_is_found_whose_engine_the_site_has_no_more(log_in, user, lives, store, engine):
    key = log_in(user).session_key
    UserSession.objects.update(engine=engine)
    assert len(sessions_of(user)) == 1
    assert end_sessions(user) == 1
    assert not lives(key)


@pytest.mark.stores(name="redis")
def test_a_session_is_found_that_is_still_in_the_engine_of_before(log_in, user, store, settings):
    log_in(user)
    settings.SESSION_ENGINE = "dj_sessions.backends.db"
    assert len(sessions_of(user)) == 1
    assert end_sessions(user) == 1
    assert list(sessions_of(user)) == []


@pytest.mark.parametrize("forms", [["hashed", "plain"], ["plain", "hashed"]])
@pytest.mark.parametrize("step", ["ended", "failed"])
def test_a_session_that_is_renamed_meanwhile_is_found(
    log_in, user, store, mode, settings, monkeypatch, forms, step
):
    """The row leads to the one form and to the other, whatever comes between it and the store."""
    settings.SESSION_KEY_STORAGE = forms[1:]
    key = log_in(user).session_key
    settings.SESSION_KEY_STORAGE = forms
    session = mode.wrap(store.SessionStore(key))
    session.set("colour", "green")
    name = "rename" if store.SessionStore().get_storage().atomic_rename else "replace"
    if step == "failed":
        for each in (name, f"a{name}") if store.Storage.async_native else (name,):
            monkeypatch.setattr(store.Storage, each, mock.Mock(side_effect=ZeroDivisionError))
        with pytest.raises(ZeroDivisionError):
            session.save()
        assert len(sessions_of(user)) == 1
        assert end_sessions(user) == 1
    else:
        act = before(store.Storage, name, lambda: end_sessions(user))
        with act as ended, pytest.raises(UpdateError):
            session.save()
        assert ended == [1]
    inner = store.SessionStore().get_storage()
    assert not any(inner.holds(form) for form in (key, _keys.hashed(key)))
    assert list(sessions_of(user)) == []


@pytest.mark.stores(name="redis")
@pytest.mark.parametrize("forms", [["hashed", "plain"], ["plain", "hashed"]])
def test_a_session_is_found_that_the_store_has_not_renamed_after_all(
    log_in, user, lives, store, mode, settings, forms
):
    """As by a cluster of which the client does not know until the first rename."""
    settings.SESSION_KEY_STORAGE = forms[1:]
    key = log_in(user).session_key
    settings.SESSION_KEY_STORAGE = forms
    session = mode.wrap(store.SessionStore(key))
    session.set("colour", "green")

    def rename(storage, name, new, record, expected):
        return name if storage.replace(name, record, expected) else None

    with instead(store.Storage, "rename", rename):
        session.save()
    assert len(sessions_of(user)) == 1
    assert end_sessions(user) == 1
    assert not lives(key)


def test_a_session_is_ended_that_was_renamed_after_its_row_was_read(
    log_in, user, store, mode, settings
):
    """The row that was read has the hash of the key, which leads to no plain one."""
    settings.SESSION_KEY_STORAGE = ["hashed"]
    key = log_in(user).session_key
    [row] = sessions_of(user)
    settings.SESSION_KEY_STORAGE = ["plain", "hashed"]
    session = mode.wrap(store.SessionStore(key))
    session.set("colour", "green")
    session.save()
    assert mode.wrap(row).end()
    assert SESSION_KEY not in store.SessionStore(key)
    assert not UserSession.objects.exists()


def test_a_name_that_is_kept_free_hides_no_session_under_the_other_one(
    log_in, user, store, settings
):
    """As by an end of which the row said the old name still, when the session had the new one."""
    settings.SESSION_KEY_STORAGE = ["plain", "hashed"]
    key = log_in(user).session_key
    assert not store.SessionStore.end_stored(_keys.hashed(key), EndReason.ENDED, block=True)
    assert len(sessions_of(user)) == 1
    assert end_sessions(user) == 1
    assert SESSION_KEY not in store.SessionStore(key)


def test_rows_of_sessions_that_are_gone_go_by_one_statement(log_in, user, store, clock):
    gone = [log_in(user).session_key for _ in range(5)]
    for key in gone:
        store.SessionStore().get_storage().remove(key)
    back, *_ = listing.rows_of(user)
    clock.move(61)
    rows = list(listing.rows_of(user))
    back.last_seen = timezone.now()
    back.save()
    with statements(table.database()) as seen:
        listing.leave_out(rows)
    assert len([each for each in seen if "SAVEPOINT" not in each]) == 1, seen
    assert list(UserSession.objects.all()) == [back]


def test_the_session_to_keep_is_kept_where_another_request_has_changed_its_key(
    log_in, user, lives, store, mode
):
    here, there = log_in(user), log_in(user)
    other_tab = mode.wrap(store.SessionStore(here.session_key))
    here.get("colour")
    other_tab.cycle_key()
    assert end_sessions(user, keep=here.raw) == 1
    assert lives(other_tab.session_key)
    assert not lives(there.session_key)


def test_the_session_of_somebody_else_under_the_same_key_goes_on(log_in, user, lives, store):
    bob = get_user_model().objects.create_user("bob")
    session = log_in(user)
    [row] = sessions_of(user)
    session.update(login_of(bob))
    session.save()
    assert not row.end()
    assert lives(session.session_key)
    assert end_sessions(bob) == 1


@pytest.mark.modes("sync")
@pytest.mark.stores(name="redis")
def test_a_transaction_with_an_old_snapshot_ends_what_has_logged_in_since(databases, log_in, lives):
    if "mariadb" not in connections:
        pytest.skip("there is no mariadb here")
    connection = connections["mariadb"]
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    with router.use("mariadb"), transaction.atomic("mariadb"):
        user = in_thread(lambda: get_user_model().objects.create_user("eve"))
        list(UserSession.objects.all())  # the snapshot
        key = in_thread(lambda: log_in(user).session_key)
        assert end_sessions(user) == 1
    assert not lives(key)
    connection.close()  # the level goes with it


@pytest.mark.modes("sync")
@pytest.mark.stores(name=("db-sqlite", "redis"))
def test_an_end_takes_the_row_once(log_in, user, store):
    session = log_in(user)
    [row] = sessions_of(user)
    with statements() as seen:
        assert row.end()
    assert len([sql for sql in seen if "dj_user_sessions" in sql]) == 1
    assert UserSession.objects.count() == 0
    assert not store.SessionStore().exists(session.session_key)


@pytest.mark.modes("sync")
@pytest.mark.stores(name="db-sqlite")
def test_an_end_is_told_once_where_an_engine_deletes_its_own_way(user, store, told):
    class SessionStore(store.SessionStore):
        key_salt = store.SessionStore().key_salt  # which has the name of the class in it

        def delete(self, session_key=None):
            super().delete(session_key)

    session = SessionStore()
    session.update(login_of(user))
    session.save()
    assert SessionStore.end_stored(session.session_key, EndReason.LIMIT)
    assert told == [(session.public_id, EndReason.LIMIT)]
    assert UserSession.objects.count() == 0


def full(*args):
    raise MemoryError


def aged(engine):
    """Have the rows say that their sessions are in `engine`, and were last used a while ago."""
    then = timezone.now() - 2 * listing.GRACE
    UserSession.objects.update(engine=f"dj_sessions.backends.{engine}", last_seen=then)


@pytest.mark.modes("sync")
@pytest.mark.stores(name="moving")
def test_a_session_that_is_on_its_way_is_ended_whichever_engine_its_row_names(user, lives, store):
    """The engine that it leaves alone would take its claim, and leave the place that it goes to."""
    session = db.SessionStore()
    session.update(login_of(user))
    session.save()
    aged("db")
    [row] = listing.rows_of(user)
    assert listing.engines_of(row)[0] == store.engine  # a set's first would be so by chance
    storage = store.SessionStore().get_storage()
    with before(type(storage.target), "replace", lambda: end_sessions(user)) as ended:
        storage.carry(session.session_key)
    assert ended == [1]
    assert not lives(session.session_key)
    assert not UserSession.objects.exists()


@pytest.mark.modes("sync")
@pytest.mark.stores(name="cached_db-postgres-redis")
def test_the_copy_of_the_engine_of_before_ends_with_the_row(log_in, user, lives, store, settings):
    """As where some servers have the engine of before, and this process has made none of its."""
    key = log_in(user).session_key
    aged("cached_db")
    assert lives(key)
    cached_db._watching.clear()
    ends.audiences.clear()
    settings.SESSION_ENGINE = "dj_sessions.backends.db"
    assert end_sessions(user) == 1
    assert not lives(key)


@pytest.mark.modes("sync")
@pytest.mark.stores(name=("db-postgres", "redis"))
def test_a_session_that_cannot_be_ended_keeps_no_other_alive(log_in, user, lives, store):
    """A full store takes nothing that would keep a place, and ends what it has."""
    keys = [log_in(user).session_key for _ in range(3)]
    with pytest.raises(MemoryError), mock.patch.object(store.Storage, "insert", full):
        log_in(user)
    with pytest.raises(MemoryError), mock.patch.object(store.Storage, "insert", full):
        end_sessions(user)
    assert not any(map(lives, keys))


@pytest.mark.modes("sync")
@pytest.mark.stores(name="redis")
def test_whoever_does_not_wait_ends_no_other_session(log_in, user, store):
    """As by a second Ctrl-C, which comes as an exception wherever the command is."""
    for _ in range(3):
        log_in(user)
    remove = mock.Mock(side_effect=Interrupted(signal.SIGINT))
    with mock.patch.object(store.Storage, "remove", remove), pytest.raises(Interrupted):
        end_sessions(user)
    assert remove.call_count == 1


@pytest.mark.modes("sync")
@pytest.mark.stores(name="redis")
def test_a_store_that_is_down_is_not_asked_for_each_session(log_in, user, store, monkeypatch):
    for _ in range(3):
        log_in(user)
    asked = mock.Mock(side_effect=ConnectionError)
    monkeypatch.setattr(ending, "PATIENCE", 0)
    with mock.patch.object(store.Storage, "read_among", asked), pytest.raises(ConnectionError):
        end_sessions(user)
    assert asked.call_count == 1


@pytest.mark.modes("sync")
@pytest.mark.stores(name="moving")
@pytest.mark.parametrize(("here", "there"), [("prepare", "move"), ("move", "prepare")])
def test_a_login_is_ended_that_a_server_in_the_other_phase_is_about_to_store(
    log_in, user, store, settings, here, there
):
    """Each has another place for new sessions, and so has to keep the other one's free as well."""
    move = settings.SESSION_MOVE

    def end():
        with override_settings(SESSION_MOVE=move | {"PHASE": there}):
            return end_sessions(user)

    settings.SESSION_MOVE = move | {"PHASE": here}
    storage = store.SessionStore().get_storage()
    first = storage.target if storage.moves else storage.source
    with before(type(first), "insert", end):
        session = log_in(user)
    [row] = sessions_of(user)  # stored under a key that was listed after the end
    assert row.public_id == session.public_id
    end()
    for phase in (here, there):
        settings.SESSION_MOVE = move | {"PHASE": phase}
        assert SESSION_KEY not in store.SessionStore(session.session_key)


@pytest.mark.modes("sync")
@pytest.mark.stores(name="moving")
@pytest.mark.parametrize("phase", ["prepare", "move"])
def test_a_place_is_kept_free_of_no_session_that_stands_there(store, user, settings, phase):
    settings.SESSION_MOVE = settings.SESSION_MOVE | {"PHASE": phase}
    for engine in (db, redis):
        session = engine.SessionStore()
        session.update(login_of(user))
        session.save()
        key = session.session_key
        keeping = store.SessionStore(key)
        keeping._session_cache = {"kept": "free"}
        record = finish(keeping._make_record(in_sync, keeping._session_cache))
        assert not store.SessionStore().get_storage().keep_free(key, record)
        assert SESSION_KEY in store.SessionStore(key)
        assert engine.SessionStore.end_stored(key, EndReason.ENDED)
        assert store.SessionStore().get_storage().keep_free(key, record)
        assert store.SessionStore().get_storage().keep_free(key, record)  # as it is
        if phase == "move":
            assert store.SessionStore().get_storage().carry(key) is Carried.GONE


@pytest.mark.modes("sync")
@pytest.mark.stores(name="redis")
def test_a_login_is_ended_that_an_engine_not_known_here_is_about_to_store(log_in, user, store):
    """As by a server on which sessions still move, where this one has the new engine alone."""

    def end():
        UserSession.objects.update(engine="dj_sessions.backends.moving")
        end_sessions(user)

    with before(store.Storage, "insert", end):
        session = log_in(user)
    [row] = sessions_of(user)
    assert row.public_id == session.public_id


@pytest.mark.modes("sync")
@pytest.mark.stores(name=("db-sqlite", "cache-redis", "redis", "moving"))
def test_what_keeps_a_place_lasts_longer_than_a_session_of_nobody(store, user, settings):
    settings.SESSION_ANONYMOUS_AGE = settings.SESSION_IDLE_AGE = 10
    storage, found = store.SessionStore().get_storage(), []
    inner = type(storage.target if store.kind == "moving" else storage)

    def insert(self, key, record):
        found.append(record.expiry)
        return True

    with mock.patch.object(inner, "insert", insert):
        store.SessionStore.end_stored(_keys.new_key(), EndReason.ENDED, block=True)
    [end] = found
    assert end - timezone.now() > listing.GRACE / 2
