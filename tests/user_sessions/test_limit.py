"""How many sessions a user may have: the oldest end, or a login is refused; none is too many."""

from __future__ import annotations

import itertools
import threading
from contextlib import nullcontext
from unittest import mock

import pytest
from django.contrib.auth import SESSION_KEY, get_user_model, login, user_logged_in
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connections, transaction
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path

from dj_sessions.signals import EndReason, session_ended, session_refused
from dj_sessions.user_sessions import SessionLimitReached, limit, sessions_of
from dj_sessions.user_sessions.models import UserSession
from tests import router
from tests.databases import deadlock
from tests.user_sessions.rows import login_of

LISTED = pytest.mark.stores(name=("db-sqlite", "db-postgres", "redis"))
#: As it is on sites: the other tests here are patient.
LONGEST_DEADLOCK = limit.LONGEST_DEADLOCK


def log_in_view(request):
    user = get_user_model().objects.get(username=request.GET.get("as", "ada"))
    try:
        login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    except SessionLimitReached as error:
        return HttpResponse(f"{error} {request.user.is_authenticated}", status=409)
    return HttpResponse("in")


def fill_cart(request):
    request.session["cart"] = 1
    return HttpResponse()


urlpatterns = [
    path("cart/", fill_cart),
    path("", log_in_view),
    path("who/", lambda request: HttpResponse(request.user)),
]


@pytest.fixture(autouse=True)
def site():
    with override_settings(ROOT_URLCONF=__name__, SESSION_LIMIT_PER_USER=2):
        yield


def three_visitors(mode):
    return [mode.client() for _ in range(3)]


def names(clients):
    return [client.get("/who/").content.decode() for client in clients]


def limit_of(user):
    return {"ada": None, "bob": 1, "dan": 0, "mia": True}.get(user.username, "many")


@LISTED
def test_the_oldest_session_ends(mode, user, store):
    told = []

    def note(sender, public_id, reason, **kwargs):
        told.append(reason)

    session_ended.connect(note)
    visitors = three_visitors(mode)
    for visitor in visitors:
        visitor.get("/")
    session_ended.disconnect(note)
    assert names(visitors) == ["AnonymousUser", "ada", "ada"]
    assert told == [EndReason.LIMIT]
    assert len(sessions_of(user)) == 2


@pytest.fixture
def refused():
    """What `session_refused` has told."""
    told = []

    def note(sender, user_id, limit, **kwargs):
        told.append((sender, user_id, limit))

    session_refused.connect(note)
    yield told
    session_refused.disconnect(note)


@LISTED
def test_a_login_is_refused_and_the_view_can_say_so(mode, user, refused, store):
    visitors = three_visitors(mode)
    with override_settings(SESSION_LIMIT_ACTION="refuse"):
        responses = [visitor.get("/") for visitor in visitors]
        # Who is logged in may log in again, and changes the key of that session.
        assert visitors[0].get("/").content == b"in"
    assert [response.status_code for response in responses] == [200, 200, 409]
    text = "You are logged in on 2 devices already, which is as many as is allowed."
    assert responses[2].content.decode() == f"{text} Log out on one of them first. False"
    assert names(visitors) == ["ada", "ada", "AnonymousUser"]
    assert refused == [(store.SessionStore, user.pk, 2)]
    assert len(sessions_of(user)) == 2


@LISTED
def test_a_login_over_the_session_of_another_is_refused_as_well(mode, user, store):
    bob = get_user_model().objects.create_user("bob")
    with override_settings(SESSION_LIMIT_ACTION="refuse", SESSION_LIMIT_PER_USER=1):
        there, here = three_visitors(mode)[:2]
        there.get("/")
        here.force_login(bob)
        assert here.get("/").status_code == 409
    assert names([there, here]) == ["ada", "AnonymousUser"]
    assert [each.user for each in UserSession.objects.all()] == [user]


@LISTED
def test_code_that_sets_the_keys_is_refused_at_the_save(log_in, user, refused, store, mode):
    with override_settings(SESSION_LIMIT_ACTION="refuse", SESSION_LIMIT_PER_USER=1):
        log_in(user)
        session = mode.wrap(store.SessionStore())
        session.update(login_of(user))
        with pytest.raises(SessionLimitReached):
            session.save()
    assert UserSession.objects.count() == 1
    assert refused == [(store.SessionStore, user.pk, 1)]


@LISTED
def test_who_is_gone_does_not_count(log_in, user, store, clock):
    with override_settings(SESSION_LIMIT_ACTION="refuse"):
        for _ in range(2):
            key = log_in(user).session_key
        store.SessionStore().get_storage().remove(key)
        clock.move(61)
        log_in(user)
        with pytest.raises(SessionLimitReached):
            log_in(user)


@LISTED
def test_what_is_stored_counts_however_long_it_was_not_used(log_in, user, store, clock):
    with override_settings(SESSION_LIMIT_ACTION="refuse"):
        log_in(user)
        log_in(user)
        clock.move(61)
        with pytest.raises(SessionLimitReached):
            log_in(user)


@LISTED
def test_a_function_says_how_many(log_in, user, store):
    bob = get_user_model().objects.create_user("bob")
    with override_settings(SESSION_LIMIT_PER_USER=f"{__name__}.limit_of"):
        for _ in range(3):
            log_in(user)
            log_in(bob)
        assert (len(sessions_of(user)), len(sessions_of(bob))) == (3, 1)
        with pytest.raises(SessionLimitReached, match="You are not allowed to log in"):
            log_in(get_user_model().objects.create_user("dan"))
        for name, given in (("eve", "'many'"), ("mia", "True")):
            with pytest.raises(ImproperlyConfigured, match=f"limit_of' gives {given} for a user"):
                log_in(get_user_model().objects.create_user(name))


@LISTED
def test_the_function_is_not_asked_about_an_account_that_is_gone(user, store, mode):
    session = mode.wrap(store.SessionStore())
    session.update(login_of(user))
    user.delete()
    with override_settings(SESSION_LIMIT_PER_USER=f"{__name__}.limit_of"):
        session.save()
    assert store.SessionStore(session.session_key)[SESSION_KEY]


@pytest.mark.modes("sync")
@pytest.mark.stores(name="redis")
@pytest.mark.parametrize("action", ["end-oldest", "refuse"])
@pytest.mark.parametrize("alias", ["default", "postgres", "mariadb"])
def test_logins_at_once_admit_none_too_many(databases, store, alias, action):
    if alias not in connections:
        pytest.skip(f"there is no {alias} here")
    refused, keys = [], []
    start = threading.Barrier(8)

    def log_in(user):
        session = store.SessionStore()
        session.update(login_of(user))
        start.wait()
        try:
            session.save()
            keys.append(session.session_key)
        except SessionLimitReached:
            refused.append(None)
        finally:
            connections.close_all()

    with router.use(alias), override_settings(SESSION_LIMIT_ACTION=action):
        user = get_user_model().objects.create_user("ada")
        threads = [threading.Thread(target=log_in, args=(user,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(keys) + len(refused) == 8
        assert len(refused) == (6 if action == "refuse" else 0)
        assert sum(SESSION_KEY in store.SessionStore(key) for key in keys) == 2
        assert len(sessions_of(user)) == 2


@pytest.mark.stores("signed_cookies")
def test_where_nothing_is_listed_nobody_is_refused(mode, user, store):
    with override_settings(SESSION_LIMIT_ACTION="refuse", SESSION_LIMIT_PER_USER=1):
        visitors = three_visitors(mode)
        assert [visitor.get("/").content for visitor in visitors] == [b"in"] * 3
        user_logged_in.send(type(user), request=None, user=user)


@LISTED
def test_who_is_refused_keeps_what_the_session_had(mode, user, store):
    there, here = mode.client(), mode.client()
    with override_settings(SESSION_LIMIT_ACTION="refuse", SESSION_LIMIT_PER_USER=1):
        there.get("/")
        here.get("/cart/")
        assert here.get("/").status_code == 409
    session = store.SessionStore(here.cookies["sessionid"].value)
    assert dict(session.items()) == {"cart": 1}


@pytest.mark.modes("sync")
@pytest.mark.stores(name=("db-postgres", "redis"))
@pytest.mark.parametrize("times", [1, 4, 5])
def test_a_login_that_a_deadlock_undoes_is_tried_again(user, store, times):
    surplus, left = limit._surplus, [deadlock("postgres") for _ in range(times)]

    def undone(*args):
        if left:
            raise left.pop()
        return surplus(*args)

    session = store.SessionStore()
    session.update(login_of(user))
    refused = pytest.raises(OperationalError) if times > limit.MORE_ATTEMPTS else nullcontext()
    with mock.patch.object(limit, "_surplus", undone), refused:
        session.save()
    assert len(sessions_of(user)) == (times <= limit.MORE_ATTEMPTS)


@pytest.mark.modes("sync")
@pytest.mark.stores(name="db-postgres")
@pytest.mark.parametrize(
    ("error", "seconds", "tries"),
    [
        (deadlock("postgres"), 1.0, 4),  # which PostgreSQL waits before it looks for a deadlock
        (deadlock("postgres"), 50.0, 1),
        (OperationalError("disk I/O error"), 0.0, 1),
    ],
)
def test_a_login_is_tried_again_for_a_deadlock_alone(user, store, error, seconds, tries):
    failing, clock = mock.Mock(side_effect=error), itertools.count(step=seconds).__next__
    session = store.SessionStore()
    session.update(login_of(user))
    with (
        mock.patch.object(limit, "_surplus", failing),
        mock.patch.object(limit, "LONGEST_DEADLOCK", LONGEST_DEADLOCK),
        mock.patch.object(limit, "monotonic", clock),
        pytest.raises(OperationalError),
    ):
        session.save()
    assert failing.call_count == tries


@pytest.mark.modes("sync")
@pytest.mark.stores(name="db-postgres")
def test_a_login_is_not_tried_again_in_a_transaction_that_is_undone(user, store):
    session = store.SessionStore()
    session.update(login_of(user))
    undone = mock.Mock(side_effect=deadlock("postgres"))
    failing = mock.patch.object(limit, "_surplus", undone)
    with failing, pytest.raises(OperationalError), transaction.atomic(store.database):
        session.save()
    assert undone.call_count == 1
