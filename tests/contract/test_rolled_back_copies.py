"""`cached_db`: what a transaction leaves of copies when it is rolled back, and of their age."""

from contextlib import suppress
from datetime import datetime, timedelta
from unittest import mock

import pytest
from django.core.cache import caches
from django.db import transaction
from django.db.models.functions import Now

from dj_sessions.storage.copies.protocol import Copies
from tests.counters import statements

pytestmark = [pytest.mark.stores("cached_db"), pytest.mark.modes("sync")]


class Undone(Exception):
    """What rolls a transaction back."""


def save_once(session):
    session["mine"] = 1
    session.save()


def save_twice(session):
    save_once(session)
    session["mine"] = 2
    session.save()


DEEDS = {
    "a save": save_once,
    "two saves": save_twice,
    "a new key": lambda session: session.cycle_key(),
    "a logout": lambda session: session.flush(),
}


def settle(session):
    """Do what the middleware does at the end of a request."""
    if session._is_unsettled:
        session._settle()


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
def test_a_rollback_leaves_a_session_that_is_copied_again(store, save, deed):
    key = save(colour="green")
    session = store.SessionStore(key)
    session.get("colour")
    with suppress(Undone), transaction.atomic(using=store.database):
        deed(session)
        raise Undone
    settle(session)
    assert store.SessionStore(key).get("colour") == "green"
    with statements() as sent:
        assert store.SessionStore(key).get("colour") == "green"
    assert list(sent) == []


@pytest.mark.parametrize(
    "date", [lambda: datetime(2040, 1, 1), lambda: Now() + timedelta(days=3)], ids=["naive", "SQL"]
)
@pytest.mark.filterwarnings("ignore:DateTimeField:RuntimeWarning")
def test_a_date_that_a_site_computes_stops_no_save(store, date):
    class SessionStore(store.SessionStore):
        def create_model_instance(self, data):
            row = super().create_model_instance(data)
            row.expire_date = date()
            return row

    session = SessionStore()
    session["colour"] = "green"
    session.save()
    again = SessionStore(session.session_key)
    again["colour"] = "red"
    again.save()
    assert SessionStore(session.session_key)["colour"] == "red"


@pytest.mark.usefixtures("no_encryption")
def test_a_copy_lives_as_long_as_get_expiry_age_says(store):
    class SessionStore(store.SessionStore):
        def get_expiry_age(self, **kwargs):
            return 60

    session = SessionStore()
    session["colour"] = "green"
    session.save()
    with mock.patch.object(Copies, "replace", autospec=True, side_effect=Copies.replace) as replace:
        session["colour"] = "red"
        session.save()
    [call] = replace.call_args_list
    assert call.args[3] == 60
    assert caches[store.cache].get(session.cache_key)["colour"] == "red"
