"""The serializer of the page `extending` does what the text around it says."""

import pickle
from datetime import UTC, datetime
from importlib import import_module

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
