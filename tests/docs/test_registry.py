"""`docs/extending.md`: the registry of the example refuses a session that was not paid for."""

import pytest
from django.apps import AppConfig
from django.core.exceptions import PermissionDenied

from dj_sessions.registry import registries


@pytest.fixture
def seats(example):
    module = example("extending", "shop.seats")
    config = example("extending", "shop.apps").ShopConfig
    assert issubclass(config, AppConfig)
    before = list(registries)
    config.ready(config)
    yield module
    registries[:] = before
    module.taken.clear()


@pytest.mark.stores(name=("db-sqlite", "redis"))
def test_the_example_sells_two_seats(store, mode, seats):
    def take():
        session = mode.wrap(store.SessionStore())
        session.set("_auth_user_id", "acme")
        session.save()
        return session

    one, two = take(), take()
    with pytest.raises(PermissionDenied, match="All seats are taken"):
        take()
    one.cycle_key()
    one.flush()
    take()
    two.set("colour", "green")
    two.save()
    with pytest.raises(PermissionDenied):
        take()
