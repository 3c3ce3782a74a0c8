"""How many statements, round trips and thread hops everything takes: ours, and Django's beside it.

The deeds of a session are counted by themselves, requests with all the middleware of a site.
"""

from __future__ import annotations

from importlib import import_module

import pytest
from django.conf import settings as django_settings
from django.db import transaction

from dj_sessions.middleware import SessionMiddleware
from tests.contract.costs import (
    OURS,
    PACKAGES,
    REQUEST_ROUND_TRIPS,
    REQUEST_STATEMENTS,
    ROUND_TRIPS,
    STATEMENTS,
    STATEMENTS_BESIDE_A_COPY,
    STEPS,
    as_saved,
    figure,
    middleware_of,
    prepare,
    prepare_request,
    saved,
    unheard,
)
from tests.contract.traffic import traffic
from tests.contract.visits import pass_through
from tests.counters import round_trips, statements, thread_hops

#: What the list of users' sessions adds is counted in tests/user_sessions.
pytestmark = pytest.mark.usefixtures("unlisted")


@pytest.fixture(params=PACKAGES)
def package(request, store, settings):
    """The package whose engine and middleware are in the settings."""
    settings.SESSION_ENGINE = f"{request.param}.backends.{store.kind}"
    settings.MIDDLEWARE = middleware_of(request.param)
    with unheard(request.param):
        yield request.param


def store_class():
    return import_module(django_settings.SESSION_ENGINE).SessionStore


# Deeds


@pytest.mark.stores("db")
@pytest.mark.parametrize("deed", STATEMENTS)
def test_statements_of_a_deed(store, mode, package, deed):
    do = prepare(mode, store_class(), deed)
    with statements() as sent:
        do()
    assert len(sent) == figure(STATEMENTS[deed], package), sent


@pytest.mark.stores("cache")
@pytest.mark.parametrize("deed", ROUND_TRIPS)
def test_round_trips_of_a_deed(store, mode, package, deed):
    do = prepare(mode, store_class(), deed)
    with round_trips() as made:
        do()
    expected = figure(ROUND_TRIPS[deed], package)
    if store.cache == "memcached" and deed == "cycle_key" and package == OURS:
        expected += 1  # the entry that leads to the new key is a command of its own
    assert len(made) == expected, made


@pytest.mark.stores("redis")
@pytest.mark.parametrize("deed", ROUND_TRIPS)
def test_round_trips_of_a_deed_in_redis_itself(store, mode, deed):
    do = prepare(mode, store.SessionStore, deed)
    with traffic(store) as said, thread_hops() as hops:
        do()
    assert len(said.round_trips) == figure(ROUND_TRIPS[deed], OURS), said.round_trips
    assert (said.all, hops) == (said.round_trips, [])


@pytest.mark.stores("redis")
@pytest.mark.parametrize("name", REQUEST_ROUND_TRIPS)
def test_round_trips_of_a_request_to_redis_itself(store, mode, user, name, save_every_request):
    get = prepare_request(mode, name, user)
    with round_trips() as made:
        get()
    expected = figure(REQUEST_ROUND_TRIPS[as_saved(name, save_every_request)], OURS)
    assert len(made) == expected, made


@pytest.mark.stores("cached_db")
@pytest.mark.parametrize("deed", STATEMENTS)
def test_statements_of_a_deed_with_a_copy_in_the_cache(store, mode, package, deed):
    do = prepare(mode, store_class(), deed)
    with statements() as sent:
        do()
    assert len(sent) == figure(STATEMENTS_BESIDE_A_COPY[deed], package), sent


@pytest.mark.stores("cached_db")
def test_a_load_that_hits_the_cache_is_one_round_trip(store, mode, package):
    load = prepare(mode, store_class(), "load")
    with statements() as sent, round_trips() as made:
        load()
    assert (len(sent), len(made)) == (0, 1), (sent, made)


@pytest.mark.stores("db", "cached_db")
@pytest.mark.parametrize("deed", STATEMENTS)
def test_somebody_else_s_transaction_adds_a_savepoint_for_each_insert_and_update(store, mode, deed):
    do = prepare(mode, store.SessionStore, deed)
    with statements() as alone:
        do()
    do = prepare(mode, store.SessionStore, deed)
    with transaction.atomic(using=store.database), statements() as sent:
        do()
    others = [sql for sql in sent if not sql.startswith(("SAVEPOINT", "RELEASE SAVEPOINT"))]
    assert others == alone
    saved = [sql for sql in alone if sql.startswith(("INSERT", "UPDATE"))]
    assert len(sent) == len(alone) + 2 * len(saved), sent


@pytest.mark.stores("signed_cookies")
@pytest.mark.parametrize("deed", STATEMENTS)
def test_a_session_in_a_cookie_says_nothing_to_anybody(store, mode, deed):
    do = prepare(mode, store.SessionStore, deed)
    with traffic(store) as said, thread_hops() as hops:
        do()
    assert (said.all, hops) == ([], [])


# Requests


@pytest.mark.stores("db", "cached_db")
@pytest.mark.parametrize("name", REQUEST_STATEMENTS)
def test_statements_of_a_request(store, mode, package, user, name, save_every_request):
    get = prepare_request(mode, name, user)
    with statements() as sent:
        get()
    expected = figure(REQUEST_STATEMENTS[as_saved(name, save_every_request)], package)
    if store.cache and expected:
        expected -= 1  # the load
    assert len(sent) == expected, sent


@pytest.mark.stores("db")
@pytest.mark.parametrize(("name", "own", "django"), [("log in", 4, 10), ("log out", 2, 3)])
def test_one_statement_of_a_login_and_of_a_logout_is_the_user_s(
    store, mode, package, user, name, own, django
):
    get = prepare_request(mode, name, user)
    with statements() as sent:
        get()
    about_user = [sql for sql in sent if "auth_user" in sql]
    assert len(about_user) == 1
    assert len(sent) - len(about_user) == figure((own, django), package), sent


@pytest.mark.stores("cache")
@pytest.mark.parametrize("name", REQUEST_ROUND_TRIPS)
def test_round_trips_of_a_request(store, mode, package, user, name, save_every_request):
    get = prepare_request(mode, name, user)
    with round_trips() as made:
        get()
    expected = figure(REQUEST_ROUND_TRIPS[as_saved(name, save_every_request)], package)
    if store.cache == "memcached" and name == "log in" and package == OURS:
        # The second save of the request does not know what the first one left, and the entry that
        # leads to the new key is a command of its own.
        expected += 2
    assert len(made) == expected, made


def test_an_untouched_session_says_nothing_to_its_store(store, mode):
    get = prepare_request(mode, "untouched")
    with traffic(store) as said:
        get()
    assert said.all == []


@pytest.mark.stores("signed_cookies")
@pytest.mark.parametrize("name", STEPS)
def test_a_request_with_its_session_in_a_cookie_says_nothing(store, mode, name, save_every_request):
    get = prepare_request(mode, name)
    with traffic(store) as said:
        get()
    assert said.all == []


@pytest.mark.parametrize(
    ("name", "usual", "with_a_save"), [("untouched", 0, 1), ("read", 1, 2), ("write", 2, 2)]
)
def test_hops_of_a_request(store, mode, name, usual, with_a_save, save_every_request):
    key = saved(mode, store.SessionStore)
    with thread_hops() as hops:
        pass_through(SessionMiddleware, mode, *STEPS[name], cookie=key)
    expected = with_a_save if save_every_request else usual
    assert len(hops) == (expected * store.hops if mode.is_async else 0), hops
