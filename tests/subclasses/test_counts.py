"""What models with columns of their own cost: as much as ours, and on Django's engine as Django's.

`device` has a foreign key among them, for which the ORM writes the statements.
"""

from __future__ import annotations

import pytest
from django.db import connections
from django.db.models import signals

from tests.contract.costs import (
    HEARD_BY_SQLITE,
    HEARD_STATEMENTS,
    OURS,
    PACKAGES,
    REQUEST_STATEMENTS,
    STATEMENTS,
    STATEMENTS_BESIDE_A_COPY,
    as_saved,
    figure,
    middleware_of,
    prepare,
    prepare_request,
    unheard,
)
from tests.counters import round_trips, statements
from tests.subclasses import engines


@pytest.fixture(params=PACKAGES)
def package(request, settings):
    settings.MIDDLEWARE = middleware_of(request.param)
    with unheard(request.param):
        yield request.param


@pytest.fixture
def use(engine, package):
    """Put an engine that is written on the package into the settings."""
    path = engines.path if package == OURS else engines.stock_path
    return lambda name: engine(path(name))


@pytest.mark.stores("db")
@pytest.mark.parametrize("name", ["account", "device"])
@pytest.mark.parametrize("deed", STATEMENTS)
def test_statements_of_a_deed(store, mode, package, use, name, deed):
    do = prepare(mode, use(name), deed)
    with statements() as sent:
        do()
    assert len(sent) == figure(STATEMENTS[deed], package), sent


@pytest.mark.stores("cached_db")
@pytest.mark.parametrize("deed", STATEMENTS)
def test_statements_of_a_deed_with_a_copy_in_the_cache(store, mode, package, use, deed):
    do = prepare(mode, use("prefixed"), deed)
    with statements() as sent:
        do()
    assert len(sent) == figure(STATEMENTS_BESIDE_A_COPY[deed], package), sent


@pytest.mark.stores("cached_db")
def test_a_load_that_hits_the_cache_is_one_round_trip(store, mode, use):
    load = prepare(mode, use("prefixed"), "load")
    with statements() as sent, round_trips() as made:
        load()
    assert (len(sent), len(made)) == (0, 1), (sent, made)


@pytest.mark.stores("db")
@pytest.mark.parametrize("name", ["account", "device"])
@pytest.mark.parametrize("request_name", REQUEST_STATEMENTS)
def test_statements_of_a_request(
    store, mode, package, use, user, name, request_name, save_every_request
):
    use(name)
    get = prepare_request(mode, request_name, user)
    with statements() as sent:
        get()
    expected = REQUEST_STATEMENTS[as_saved(request_name, save_every_request)]
    assert len(sent) == figure(expected, package), sent


# The plain path


@pytest.mark.stores("db")
@pytest.mark.parametrize("deed", HEARD_STATEMENTS)
def test_statements_of_a_deed_that_somebody_hears_of(store, mode, package, use, deed):
    SessionStore, heard = use("account"), []

    def receive(instance, **kwargs):
        heard.append(instance.session_key)

    do = prepare(mode, SessionStore, deed)
    watched = [signals.pre_save, signals.post_save, signals.pre_delete, signals.post_delete]
    for signal in watched:
        signal.connect(receive, sender=SessionStore.get_model_class())
    try:
        with statements() as sent:
            do()
    finally:
        for signal in watched:
            signal.disconnect(receive, sender=SessionStore.get_model_class())
    assert len(heard) == (4 if deed == "cycle_key" else 2)
    is_sqlite = connections[store.database].vendor == "sqlite"
    figures = HEARD_BY_SQLITE if is_sqlite else HEARD_STATEMENTS
    assert len(sent) == figure(figures[deed], package), sent


@pytest.mark.stores("db")
def test_statements_of_the_end_of_a_session_that_baskets_and_orders_point_at(
    store, mode, package, use, engine
):
    do = prepare(mode, engine(f"{package}.backends.db"), "flush")
    with statements() as sent:
        do()
    rows = [sql.split()[0] for sql in sent if sql not in ("BEGIN", "COMMIT")]
    # Which the row is, in Django's case once more; then baskets, wishes, orders, the row itself.
    assert rows == ["SELECT"] * figure((1, 2), package) + ["DELETE", "DELETE", "UPDATE", "DELETE"]
