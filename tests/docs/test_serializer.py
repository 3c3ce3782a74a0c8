"""The serializers of the pages `extending` and `at-rest` do what the text around them says."""

import pickle
from datetime import UTC, datetime
from importlib import import_module
from itertools import pairwise

import pytest
from django.contrib.sessions.backends.db import SessionStore as DjangoStore
from django.test import override_settings

from dj_sessions.backends.db import SessionStore
from dj_sessions.exceptions import SessionEncodeError


@pytest.fixture
def with_dates(example):
    example("extending", "shop.serializers")
    with override_settings(SESSION_SERIALIZER="shop.serializers.DatetimeSerializer"):
        yield SessionStore()


def test_the_serializer_keeps_datetimes(with_dates):
    data = {"seen": datetime(2031, 5, 17, tzinfo=UTC), "cart": [{"added": datetime(2031, 5, 16)}]}
    assert with_dates.decode(with_dates.encode(data)) == data


def test_the_serializer_reads_what_django_wrote(with_dates):
    data = {"name": "Zoë", "n": 1.5, "list": [None, True]}
    assert with_dates.decode(DjangoStore().encode(data)) == data


def test_what_the_serializer_cannot_hold_is_named(with_dates):
    with pytest.raises(SessionEncodeError, match=r"session\['cart'\]\[0\] is of type .*object"):
        with_dates.encode({"cart": [object()]})


def test_what_the_serializer_cannot_read_is_an_empty_session_and_a_reason(with_dates, caplog):
    with override_settings(SESSION_SERIALIZER="dj_sessions.serializers.PickleSerializer"):
        payload = SessionStore().encode({"a": pickle.dumps("not JSON")})
    assert with_dates.decode(payload) == {}
    assert len(caplog.messages) == 1


def test_a_defect_of_the_serializer_is_raised(with_dates, monkeypatch):
    payload = with_dates.encode({"a": 1})

    def broken(self, data):
        raise AttributeError("a typing error in loads()")

    monkeypatch.setattr(import_module("shop.serializers").DatetimeSerializer, "loads", broken)
    with pytest.raises(AttributeError, match="a typing error"):
        with_dates.decode(payload)


@pytest.fixture
def from_pickle():
    with override_settings(SESSION_SERIALIZER="dj_sessions.serializers.PickleToJSONSerializer"):
        yield SessionStore()


PICKLE, JSON = (f"dj_sessions.serializers.{name}Serializer" for name in ("Pickle", "JSON"))


@pytest.mark.parametrize("writer", [PICKLE, JSON])
@pytest.mark.parametrize("size", [1, 9999])  # compressed or not
def test_who_leaves_pickle_behind_reads_both(from_pickle, writer, size):
    data = {"_auth_user_id": "1", "colour": "grün" * size}
    with override_settings(SESSION_SERIALIZER=writer):
        payload = SessionStore().encode(data)
    assert from_pickle.decode(payload) == data


def test_who_leaves_pickle_behind_writes_json(from_pickle):
    payload = from_pickle.encode({"colour": "green"})
    with override_settings(SESSION_SERIALIZER=JSON):
        assert SessionStore().decode(payload) == {"colour": "green"}


def test_what_cannot_be_unpickled_any_more_is_an_empty_session(from_pickle, monkeypatch):
    gone = type("Gone", (), {"__module__": __name__})
    monkeypatch.setitem(globals(), "Gone", gone)
    with override_settings(SESSION_SERIALIZER=PICKLE):
        payload = SessionStore().encode({"value": gone()})
    monkeypatch.delitem(globals(), "Gone")
    assert from_pickle.decode(payload) == {}


def test_servers_of_each_step_away_from_pickle_read_the_next_one(example):
    example("at-rest", "shop.still_pickle")
    away = "dj_sessions.serializers.PickleToJSONSerializer"
    steps = (PICKLE, "shop.still_pickle.StillPickleSerializer", away)
    data = {"seen": {datetime(2031, 5, 17, tzinfo=UTC)}}
    for before, after in pairwise(steps):
        for writer, reader in ((before, after), (after, before)):
            with override_settings(SESSION_SERIALIZER=writer):
                payload = SessionStore().encode(data)
            with override_settings(SESSION_SERIALIZER=reader):
                assert SessionStore().decode(payload) == data, (writer, reader)


@pytest.mark.parametrize(("writer", "reader"), [(PICKLE, JSON), (JSON, PICKLE)])
def test_json_and_pickle_take_each_other_for_empty(writer, reader):
    with override_settings(SESSION_SERIALIZER=writer):
        payload = SessionStore().encode({"colour": "green"})
    with override_settings(SESSION_SERIALIZER=reader):
        assert SessionStore().decode(payload) == {}
