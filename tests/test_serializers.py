"""`serializers`: what SESSION_SERIALIZER may name."""

import datetime
import pickle

import pytest
from django.contrib.sessions import serializers as django_serializers
from django.core import signing
from django.core.exceptions import ImproperlyConfigured
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


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from([2**63, -(2**64), 10**40, 1e16, -0.0, "\ud800", "0" * 30, True, 1.0]),
    lambda children: st.lists(children) | st.dictionaries(st.text() | st.integers(), children),
    max_leaves=8,
)


def alike(value):
    """Told apart by type as well: 1, 1.0 and True are three things."""
    return repr(value)


@given(st.dictionaries(st.text(), PLAIN))
def test_either_json_serializer_reads_what_the_other_wrote(data):
    fast, plain = serializers.FastJSONSerializer(), serializers.JSONSerializer()
    expected = alike(plain.loads(plain.dumps(data)))
    assert alike(fast.loads(plain.dumps(data))) == expected
    assert alike(plain.loads(fast.dumps(data))) == expected
    assert alike(fast.loads(fast.dumps(data))) == expected


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_json_but_the_standard_library_writes_is_written_and_read(value):
    fast = serializers.FastJSONSerializer()
    assert repr(fast.loads(fast.dumps({"a": value}))) == repr({"a": value})


@pytest.mark.parametrize("value", [{1}, b"bytes", datetime.date(2031, 5, 17), object()])
def test_the_fast_serializer_refuses_what_the_plain_one_refuses(value):
    for serializer in (serializers.FastJSONSerializer(), serializers.JSONSerializer()):
        with pytest.raises(TypeError):
            serializer.dumps({"a": value})


def test_the_fast_serializer_does_not_write_its_text_as_the_plain_one_would_not_read():
    assert serializers.FastJSONSerializer().dumps({"a": "schl\u00fcssel"}).isascii()


def test_without_orjson_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(serializers, "orjson", None)
    with pytest.raises(ImproperlyConfigured, match=r"needs orjson\. Install orjson"):
        serializers.FastJSONSerializer()


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


@pytest.mark.parametrize("before", range(8))
@pytest.mark.parametrize("digits", [18, 19, 20, 40])
def test_a_large_number_is_read_exactly_wherever_it_stands(before, digits):
    data = {"x" * before: int("123456789" * 5) // 10 ** (45 - digits)}
    text = serializers.JSONSerializer().dumps(data)
    assert serializers.FastJSONSerializer().loads(text) == data
    assert type(next(iter(serializers.FastJSONSerializer().loads(text).values()))) is int
