"""Nothing lives unlisted: whatever fails between the row and its session, or is rolled back."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from importlib import import_module
from unittest import mock

import pytest
from django.contrib.auth import SESSION_KEY, get_user_model
from django.db import DatabaseError, connections, transaction
from django.test import override_settings

from dj_sessions.user_sessions import end_sessions, sessions_of, writing
from dj_sessions.user_sessions.models import UserSession
from tests import router
from tests.contract.moments import before
from tests.user_sessions.conftest import ONE_OF_EACH
from tests.user_sessions.rows import login_of

pytestmark = pytest.mark.stores(name=ONE_OF_EACH)


@pytest.fixture
def anonymous(store, mode):
    session = mode.wrap(store.SessionStore())
    session.set("colour", "green")
    session.save()
    return session


def is_stored(store, key):
    return SESSION_KEY in store.SessionStore(key)


@contextmanager
def list_down():
    with (
        mock.patch.object(UserSession, "save", side_effect=DatabaseError),
        mock.patch.object(writing, "rows", side_effect=DatabaseError),
    ):
        yield


@pytest.fixture
def no_list():
    """The list's database answers nothing."""
    with list_down():
        yield


def test_without_the_list_nobody_logs_in(store, user, anonymous, no_list):
    anonymous.update(login_of(user))
    with pytest.raises(DatabaseError):
        anonymous.save()
    assert not is_stored(store, anonymous.session_key)


def test_without_the_list_a_login_goes_on_and_a_logout_ends(store, user, log_in, mode, clock):
    session = log_in(user)
    with mock.patch.object(writing, "rows", side_effect=DatabaseError):
        clock.move(301)
        session.set("colour", "green")
        session.save()
        key = session.session_key
        assert is_stored(store, key)
        session.flush()
    assert not is_stored(store, key)
    assert list(sessions_of(user)) == []


@pytest.mark.parametrize("step", ["insert", "replace"])
def test_what_fails_after_the_row_leaves_no_session(store, user, mode, step):
    """A row without a session is left, which is not shown."""

    def fail():
        raise ConnectionError

    session = mode.wrap(store.SessionStore())
    if step == "replace":
        session.save()
    session.update(login_of(user))
    with pytest.raises(ConnectionError), before(store.Storage, step, fail):
        session.save()
    assert UserSession.objects.count() == 1
    assert list(sessions_of(user)) == []


@pytest.mark.modes("sync")
@pytest.mark.stores(name=("db-postgres", "redis", "file"))
def test_a_process_that_is_killed_leaves_no_session_unlisted(store, user, anonymous):
    """Killed between the row and the session, it leaves the row; between them nothing else is."""
    connections.close_all()
    child = os.fork()
    if not child:  # pragma: no cover
        try:
            session = store.SessionStore(anonymous.session_key)
            session.update(login_of(user))
            kill = lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL)  # noqa: E731
            with mock.patch.object(store.Storage, "replace", kill):
                session.save()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert UserSession.objects.count() == 1
    assert not is_stored(store, anonymous.session_key)
    assert list(sessions_of(user)) == []


def test_a_rollback_takes_nothing_from_the_list_that_lives(store, user, mode, anonymous):
    anonymous.update(login_of(user))
    with pytest.raises(ZeroDivisionError), transaction.atomic(store.database):  # noqa: PT012
        anonymous.save()
        raise ZeroDivisionError
    key = anonymous.session_key
    assert is_stored(store, key) == (store.kind not in ("db", "cached_db"))
    if connections[store.database].vendor == "sqlite" and is_stored(store, key):
        # Nobody else can write to SQLite meanwhile: it is listed when it is next used.
        again = mode.wrap(store.SessionStore(key))
        again.set("colour", "blue")
        again.save()
    assert len(sessions_of(user)) == is_stored(store, key)


def test_a_session_from_before_the_list_is_listed_when_it_is_saved(store, user, log_in, mode):
    session = log_in(user)
    UserSession.objects.all().delete()
    session = mode.wrap(store.SessionStore(session.session_key))
    session.set("colour", "green")
    session.save()
    assert [row.public_id for row in sessions_of(user)] == [session.public_id]


@pytest.mark.stores(name="redis")
@pytest.mark.parametrize("limit", [None, 5])
@pytest.mark.parametrize("alias", ["postgres", "mariadb"])
def test_a_rollback_elsewhere_takes_no_row_of_a_session_in_redis(
    databases, store, mode, anonymous, alias, limit
):
    if alias not in connections:
        pytest.skip(f"there is no {alias} here")
    with router.use(alias), override_settings(SESSION_LIMIT_PER_USER=limit):
        user = get_user_model().objects.create_user("eve")
        anonymous.update(login_of(user))
        with pytest.raises(ZeroDivisionError), transaction.atomic(alias):  # noqa: PT012
            anonymous.save()
            raise ZeroDivisionError
        assert [row.public_id for row in sessions_of(user)] == [anonymous.public_id]
        [before] = sessions_of(user)
        with pytest.raises(ZeroDivisionError), transaction.atomic(alias):  # noqa: PT012
            anonymous.cycle_key()
            raise ZeroDivisionError
        [row] = sessions_of(user)
        assert (row.public_id, row.created) == (anonymous.public_id, before.created)


@pytest.mark.modes("sync")
@pytest.mark.stores(name="db-sqlite")
def test_an_engine_that_cannot_be_loaded_has_lost_nothing(store, user, log_in, clock, settings):
    log_in(user)
    clock.move(61)
    for engine, error in (("nowhere", ImportError), ("os", AttributeError)):
        settings.SESSION_ENGINE = engine
        with pytest.raises(error):
            sessions_of(user)
    assert UserSession.objects.count() == 1


def test_a_session_of_a_user_who_is_gone_is_saved_as_with_django(store, user, log_in, mode):
    login = login_of(user)
    user.delete()
    session = mode.wrap(store.SessionStore())
    session.update(login)
    session.save()
    assert is_stored(store, session.session_key)
    session.update({SESSION_KEY: "no number"})
    session.save()
    assert store.SessionStore(session.session_key)[SESSION_KEY] == "no number"


@pytest.mark.modes("sync")
@pytest.mark.stores(name="redis")
def test_a_transaction_does_not_wait_for_itself(databases, store, anonymous):
    """As where somebody's session is taken, and given back, in one transaction."""
    if "postgres" not in connections:
        pytest.skip("there is no postgres here")
    with router.use("postgres"):
        ada, bob = (get_user_model().objects.create_user(name) for name in ("ada", "bob"))
        with transaction.atomic("postgres"):
            for user in (ada, bob, ada):
                anonymous.update(login_of(user))
                anonymous.save()
        assert [row.public_id for row in sessions_of(ada)] == [anonymous.public_id]
        assert list(sessions_of(bob)) == []


@pytest.mark.modes("sync")
@pytest.mark.stores(name="moving")
def test_a_rollback_takes_no_row_of_a_session_that_is_saved_in_the_other_store(
    databases, store, settings
):
    """What does not move inside the transaction is not taken back with it either."""
    if "postgres" not in connections:
        pytest.skip("there is no postgres here")
    source, target = settings.SESSION_MOVE["FROM"], settings.SESSION_MOVE["TO"]
    settings.SESSION_MOVE = {"FROM": target, "TO": source}
    with router.use("postgres"):
        session = import_module(target).SessionStore()
        session.save()
        user = get_user_model().objects.create_user("eve")
        with pytest.raises(ZeroDivisionError), transaction.atomic("postgres"):  # noqa: PT012
            session = store.SessionStore(session.session_key)
            session.update(login_of(user))
            session.save()
            raise ZeroDivisionError
        assert is_stored(store, session.session_key)
        assert [row.public_id for row in sessions_of(user)] == [session.public_id]


@pytest.mark.stores(name=("db-postgres", "file", "cache-redis"))
def test_a_session_takes_no_name_that_the_list_cannot_lead_to(store, user, log_in, mode, settings):
    """A row with the hash of a key leads to no session under the key itself."""
    settings.SESSION_KEY_STORAGE = ["hashed"]
    key = log_in(user).session_key
    settings.SESSION_KEY_STORAGE = ["plain", "hashed"]
    session = mode.wrap(store.SessionStore(key))
    session.set("colour", "green")
    with list_down(), pytest.raises(DatabaseError):
        session.save()
    assert len(sessions_of(user)) == 1
    assert end_sessions(user) == 1
    assert not is_stored(store, key)


@pytest.mark.stores(name=("file", "cache-redis"))
def test_a_rollback_leaves_the_list_the_name_that_the_store_has(
    databases, store, mode, settings, log_in
):
    if "postgres" not in connections:
        pytest.skip("there is no postgres here")
    with router.use("postgres"):
        user = get_user_model().objects.create_user("eve")
        settings.SESSION_KEY_STORAGE = ["hashed"]
        key = log_in(user).session_key
        settings.SESSION_KEY_STORAGE = ["plain", "hashed"]
        session = mode.wrap(store.SessionStore(key))
        session.set("colour", "green")
        with pytest.raises(ZeroDivisionError), transaction.atomic("postgres"):  # noqa: PT012
            session.save()
            raise ZeroDivisionError
        assert len(sessions_of(user)) == 1
        assert end_sessions(user) == 1
    assert not is_stored(store, key)
