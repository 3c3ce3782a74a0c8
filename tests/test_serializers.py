"""`serializers`: what SESSION_SERIALIZER may name."""

import datetime
import pickle

import pytest
from django.contrib.sessions import serializers as django_serializers
from django.core import signing
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from dj_sessions import serializers
from dj_sessions.backends.base import SessionBase


def test_the_json_serializer_is_django_s():
    assert serializers.JSONSerializer is signing.JSONSerializer
    assert serializers.JSONSerializer is django_serializers.JSONSerializer


@pytest.mark.parametrize("name", serializers.__all__)
def test_the_setting_names_the_class_that_sessions_use(name):
    with override_settings(SESSION_SERIALIZER=f"dj_sessions.serializers.{name}"):
        assert SessionBase().serializer is getattr(serializers, name)


def test_a_session_may_be_given_another_serializer():
    session = SessionBase()
    session.serializer = serializers.PickleSerializer
    assert session.decode(session.encode({"a": {1}})) == {"a": {1}}


@given(st.dictionaries(st.text() | st.integers(), st.sets(st.integers()) | st.dates()))
def test_pickles_hold_what_json_cannot(data):
    serializer = serializers.PickleSerializer()
    assert serializer.loads(serializer.dumps(data)) == data


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_every_protocol_are_read(protocol):
    data = {"added": datetime.date(2031, 5, 17), "seen": {1, 2}}
    assert serializers.PickleSerializer().loads(pickle.dumps(data, protocol)) == data


def test_a_subclass_chooses_the_protocol():
    class Old(serializers.PickleSerializer):
        protocol = 2

    assert Old().dumps({}) == pickle.dumps({}, 2)
    assert serializers.PickleSerializer().dumps({}) == pickle.dumps({}, pickle.HIGHEST_PROTOCOL)


class Stateful:
    """Refuses the state that it is given, as code of today may refuse data of yesterday."""

    error = KeyError

    def __setstate__(self, state):
        raise self.error("state")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"garbage",
        b"cno_such_module\nThing\n.",
        b"cos\nno_such_function\n.",
        pickle.dumps({"a": 1})[:-3],
        b"0.",
        b"h\x00.",
    ],
)
def test_what_cannot_be_read_is_an_unpickling_error(data):
    with pytest.raises(pickle.UnpicklingError):
        serializers.PickleSerializer().loads(data)


@pytest.mark.parametrize("error", [AttributeError, EOFError, ImportError, IndexError, KeyError])
def test_the_reason_is_the_cause(error, monkeypatch):
    monkeypatch.setattr(Stateful, "error", error)
    thing = Stateful()
    thing.state = 1
    with pytest.raises(pickle.UnpicklingError, match=error.__name__) as caught:
        serializers.PickleSerializer().loads(pickle.dumps(thing))
    assert type(caught.value.__cause__) is error


@pytest.mark.parametrize("value", [lambda: None, (item for item in [])])
def test_what_cannot_be_pickled_raises_what_pickle_raises(value):
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        serializers.PickleSerializer().dumps(value)
