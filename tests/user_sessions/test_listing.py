"""The list of a user's sessions: never without one that lives, on every engine, in both modes."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import pytest
from django.contrib.auth import SESSION_KEY, get_user_model, login, logout, update_session_auth_hash
from django.db import router
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path
from django.utils import timezone

from dj_sessions import _keys
from dj_sessions.models import Session
from dj_sessions.signals import EndReason
from dj_sessions.user_sessions import seen, sessions_of
from dj_sessions.user_sessions.models import UserSession
from dj_sessions.user_sessions.registry import _use
from tests.counters import statements
from tests.user_sessions.conftest import ONE_OF_EACH
from tests.user_sessions.rows import login_of

pytestmark = pytest.mark.stores(name=ONE_OF_EACH)


def view(deed):
    def answer(request):
        return HttpResponse(deed(request))

    return answer


def the_user():
    return get_user_model().objects.get()


def _login(request):
    login(request, the_user(), backend="django.contrib.auth.backends.ModelBackend")
    return "in"


def _rehash(request):
    update_session_auth_hash(request, request.user)
    return "rehashed"


DEEDS = {
    "login": _login,
    "rehash": _rehash,
    "logout": lambda request: logout(request) or "out",
    "read": lambda request: request.session.get("colour"),
    "user": lambda request: request.user.get_username(),
    "write": lambda request: request.session.update(request.GET.dict()) or "written",
    "untouched": lambda request: "nothing",
}
urlpatterns = [path(f"{name}/", view(deed)) for name, deed in DEEDS.items()]


@pytest.fixture(autouse=True)
def site():
    with override_settings(ROOT_URLCONF=__name__):
        yield


@pytest.fixture
def visitor(mode, user):
    return mode.client()


def key_of(client):
    return client.cookies["sessionid"].value


def names():
    """Who is listed with which session."""
    rows = UserSession.objects.order_by("pk")
    return [(row.user_id, row.public_id, row.reason) for row in rows]


# Whose session it is


def test_a_login_is_listed_with_what_is_known_of_it(visitor, user, store):
    before = timezone.now()
    visitor.get("/login/", headers={"user-agent": "Lynx/2.9"})
    [row] = sessions_of(user)
    assert row.public_id == _keys.public_id(key_of(visitor))
    assert row.user == user
    assert row.engine == store.engine
    assert (row.ip_address, row.user_agent) == ("127.0.0.0", "Lynx/2.9")
    assert before <= row.created == row.last_seen <= timezone.now()
    assert row.expires > before + timedelta(days=13)
    assert row.ended is None


def test_a_login_by_code_that_sets_the_keys_is_listed(log_in, user):
    session = log_in(user)
    assert [row.public_id for row in sessions_of(user)] == [session.public_id]


def test_nobody_else_is_listed(store, mode, user):
    session = mode.wrap(store.SessionStore())
    session.set("colour", "green")
    session.save()
    session.set("colour", "blue")
    session.save()
    session.cycle_key()
    session.flush()
    assert names() == []


def test_a_key_that_changes_is_followed(log_in, user):
    session = log_in(user)
    [before] = sessions_of(user)
    session.cycle_key()
    [after] = sessions_of(user)
    assert after.public_id == session.public_id != before.public_id
    assert after.created == before.created
    assert len(names()) == 1


def test_a_login_over_an_anonymous_session_is_listed_under_its_new_key(visitor, user):
    visitor.get("/write/?colour=green")
    visitor.get("/login/")
    assert [name for _, name, _ in names()] == [_keys.public_id(key_of(visitor))]


def test_another_user_in_the_same_session_takes_its_place(log_in, user):
    other = get_user_model().objects.create_user("bob")
    session = log_in(user)
    session.update(login_of(other))
    session.save()
    assert names() == [(other.pk, session.public_id, "")]
    assert list(sessions_of(user)) == []


def test_a_session_that_lives_on_without_its_user_is_taken_from_the_list(log_in, user):
    session = log_in(user)
    session.pop(SESSION_KEY)
    session.save()
    assert names() == []


@pytest.mark.parametrize("deed", ["logout", "flush", "delete"])
def test_an_end_is_followed(deed, visitor, user, store, mode):
    visitor.get("/login/")
    session = mode.wrap(store.SessionStore(key_of(visitor)))
    with override_settings(SESSION_HISTORY_DAYS=30):
        visitor.get("/logout/") if deed == "logout" else getattr(session, deed)()
    [row] = UserSession.objects.all()
    assert row.reason == (EndReason.DELETED if deed == "delete" else EndReason.FLUSHED)
    assert row.ended is not None
    assert row.stored_key == ""
    assert list(sessions_of(user)) == []


@pytest.mark.stores("db", "cached_db")
@pytest.mark.modes("sync")
@pytest.mark.parametrize("deed", ["queryset", "instance"])
@override_settings(SESSION_HISTORY_DAYS=30)
def test_a_row_that_is_deleted_through_the_orm_is_shown_no_more_and_is_gone_in_the_history(
    deed, log_in, user, clock
):
    key = log_in(user).session_key
    rows = Session.objects.for_key(key)
    rows.delete() if deed == "queryset" else rows.get().delete()
    assert list(sessions_of(user)) == []
    clock.move(61)
    assert list(sessions_of(user)) == []
    [row] = UserSession.objects.all()
    assert (row.reason, row.stored_key) == (EndReason.GONE, "")


def test_without_history_nothing_is_left_of_an_ended_session(visitor):
    visitor.get("/login/")
    visitor.get("/logout/")
    assert names() == []


def test_a_change_of_the_password_hash_keeps_one_row(visitor, user):
    visitor.get("/login/")
    visitor.get("/rehash/")
    assert [name for _, name, _ in names()] == [_keys.public_id(key_of(visitor))]
    assert visitor.get("/user/").content == b"ada"


# What it costs


def listed(visitor, path):
    """What the list is told by a request, and its response."""
    with statements(router.db_for_write(UserSession)) as sent:
        response = visitor.get(path)
    table = UserSession._meta.db_table
    return [sql.split()[0] for sql in sent if table in sql], response


def test_costs(visitor, user, store, mode):
    visitor.get("/write/?colour=green")
    assert listed(visitor, "/login/")[0] == ["INSERT"]
    for deed in ("/read/", "/user/", "/write/?colour=blue", "/untouched/"):
        sent, response = listed(visitor, deed)
        assert sent == []
        assert response.headers.get("Vary") == (None if deed == "/untouched/" else "Cookie")
    assert listed(visitor, "/logout/")[0] == ["DELETE"]
    assert listed(visitor, "/read/")[0] == []


@pytest.mark.parametrize("deed", ["/user/", "/write/?colour=blue"])
def test_costs_of_use_in_each_process(deed, visitor, user, store, clock):
    visitor.get("/login/")
    seen.forget()  # as a process that has not seen the login
    assert listed(visitor, deed)[0] == ["UPDATE", "SELECT"]
    clock.move(299)
    assert listed(visitor, deed)[0] == []
    clock.move(300)
    assert listed(visitor, deed)[0] == ["UPDATE"]  # the first to tell of this use
    seen.forget()
    assert listed(visitor, deed)[0] == ["UPDATE", "SELECT"]
    clock.move(599)
    assert listed(visitor, deed)[0] == []


@pytest.mark.stores("db", "cached_db")
@pytest.mark.modes("sync")
def test_the_list_asks_a_database_once(log_in, user, store):
    for _ in range(3):
        log_in(user)
    with statements(store.database) as sent:
        assert len(sessions_of(user)) == 3
    tables = (UserSession._meta.db_table, Session._meta.db_table)
    assert [sum(table in sql for sql in sent) for table in tables] == [2, 1]


@pytest.mark.stores("cache", "file")
@pytest.mark.modes("sync")
def test_the_list_looks_for_each_session_elsewhere(log_in, user, store):
    for _ in range(3):
        log_in(user)
    look = store.Storage.read
    with mock.patch.object(store.Storage, "read", autospec=True, side_effect=look) as looks:
        assert len(sessions_of(user)) == 3
    assert looks.call_count == 3


#: One that is no more, one that keeps no records, and one that has no settings.
OF_BEFORE = ("shop.sessions", *(f"dj_sessions.backends.{x}" for x in ("signed_cookies", "moving")))


@pytest.mark.parametrize("engine", OF_BEFORE)
def test_an_engine_of_before_that_cannot_be_asked_has_no_session(
    log_in, user, store, mode, clock, engine
):
    log_in(user)
    UserSession.objects.update(engine=engine)
    [row] = sessions_of(user)  # the engine of today has it
    store.SessionStore().get_storage().remove(row.stored_key)
    assert not mode.wrap(row).end()
    UserSession.objects.bulk_create([row])
    clock.move(61)
    assert list(sessions_of(user)) == []


def test_where_the_engine_cannot_be_loaded_the_list_stays_as_it_is(log_in, user, clock):
    log_in(user)
    clock.move(61)
    with override_settings(SESSION_ENGINE="shop.sessions"), pytest.raises(ImportError):
        sessions_of(user)
    assert len(sessions_of(user)) == 1


def test_what_is_somebody_else_s_session_now_is_gone(log_in, user, clock):
    bob = get_user_model().objects.create_user("bob")
    log_in(bob)
    [row] = sessions_of(bob)
    row.pk, row.user = None, user
    row.save()
    clock.move(61)
    assert list(sessions_of(user)) == []
    assert len(sessions_of(bob)) == 1


@override_settings(SESSION_HISTORY_DAYS=1)
def test_a_session_that_lives_is_listed_again_and_one_that_has_ended_is_not(
    user, log_in, store, mode
):
    """As where its store did not answer for it once, and the history has it as gone."""
    lost, over = log_in(user), log_in(user)
    under_way = mode.wrap(store.SessionStore(over.session_key))
    assert under_way.get(SESSION_KEY)
    over.flush()
    rows = UserSession.objects.filter(public_id=lost.public_id)
    rows.update(ended=timezone.now(), reason=EndReason.GONE, stored_key="")
    with mock.patch.object(store.Storage, "read_latest", side_effect=ConnectionError):
        seen.forget()
        _use(lost.raw, lost.raw.session_key, str(user.pk))  # the answer of a request, after all
    for session in (under_way.raw, lost.raw):
        seen.forget()
        _use(session, session.session_key, str(user.pk))
    assert [row.public_id for row in sessions_of(user)] == [lost.public_id]
    [row] = UserSession.objects.ended()
    assert (row.public_id, row.reason) == (_keys.public_id(under_way.raw.session_key), "flushed")
