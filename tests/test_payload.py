"""`_codec.payloads`: session data to signed text and back."""

import json
import logging
import pickle
import zlib
from base64 import urlsafe_b64encode
from datetime import date
from decimal import Decimal

import pytest
from django.core import signing
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from dj_sessions._codec import payloads
from dj_sessions.exceptions import SessionEncodeError
from dj_sessions.serializers import FastJSONSerializer, JSONSerializer, PickleSerializer

SALT = "django.contrib.sessions.SessionStore"
SECURITY = "django.security.SuspiciousSession"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(), parts, max_size=3),
    max_leaves=4,
)
SESSIONS = st.dictionaries(st.text(), JSON, max_size=3)


def encode(data, serializer=JSONSerializer):
    return payloads.encode(data, serializer, SALT)


def decode(text, serializer=JSONSerializer, salt=SALT):
    return payloads.decode(text, serializer, salt)


def signed(content, salt=SALT):
    """Text that is signed as Django signs it, of any bytes."""
    encoded = urlsafe_b64encode(content).strip(b"=").decode()
    return signing.TimestampSigner(salt=salt).sign(encoded)


# The wire format


@given(SESSIONS)
def test_what_is_encoded_is_decoded_here_and_by_django(data):
    text = encode(data)
    assert decode(text) == data
    assert signing.loads(text, salt=SALT, serializer=JSONSerializer) == data


@given(SESSIONS)
def test_what_django_encoded_is_decoded(data):
    assert decode(signing.dumps(data, salt=SALT, compress=True)) == data
    assert decode(signing.dumps(data, salt=SALT, compress=False)) == data


@given(SESSIONS)
def test_pickles_are_decoded(data):
    assert decode(encode(data, PickleSerializer), PickleSerializer) == data


def test_what_is_long_is_compressed():
    assert encode({"text": "a" * 1000}).startswith(".")
    assert len(encode({"text": "a" * 1000})) < 200


def test_text_of_a_former_secret_key_is_decoded():
    with override_settings(SECRET_KEY="the old one"):
        text = encode({"colour": "green"})
    assert decode(text) is None
    with override_settings(SECRET_KEY_FALLBACKS=["another", "the old one"]):
        assert decode(text) == {"colour": "green"}


# What cannot be read


def assert_reported(caplog, reason):
    (record,) = [record for record in caplog.records if record.name == SECURITY]
    assert record.levelno == logging.WARNING
    assert record.getMessage() == f"Session data corrupted: {reason}"
    assert record.exc_info is None


@pytest.mark.parametrize(
    "text", ["", "garbage", "a:b:c", "secret:1abcde:aaaa", "\x00", "schlüssel:é:ü", ":::", "." * 99]
)
def test_text_that_nobody_signed_is_nothing_and_logged_without_it(text, caplog):
    assert decode(text) is None
    assert_reported(caplog, "its signature does not match")


def test_a_changed_payload_is_nothing(caplog):
    data, rest = encode({"user": 1}).split(":", 1)
    other, _ = encode({"user": 2}).split(":", 1)
    assert data != other
    assert decode(f"{other}:{rest}") is None
    assert_reported(caplog, "its signature does not match")


@pytest.mark.parametrize("purpose", ["messages", "django.contrib.sessions.AnotherStore", ""])
def test_what_was_signed_for_another_purpose_is_nothing(purpose, caplog):
    assert decode(signing.dumps({"user": 1}, salt=purpose)) is None
    assert_reported(caplog, "its signature does not match")


@pytest.mark.parametrize(
    ("content", "serializer", "error"),
    [
        (b"{not json", JSONSerializer, "JSONDecodeError"),
        (b"", JSONSerializer, "JSONDecodeError"),
        ("{}".encode("utf-16"), JSONSerializer, "JSONDecodeError"),
        (pickle.dumps({"a": 1}), JSONSerializer, "JSONDecodeError"),
        (b"not a pickle", PickleSerializer, "UnpicklingError"),
        (b"", PickleSerializer, "UnpicklingError"),
        (b'{"a": 1}', PickleSerializer, "UnpicklingError"),
        (b"cno_such_module\nThing\n.", PickleSerializer, "UnpicklingError"),
    ],
)
def test_signed_content_of_another_shape_is_nothing(content, serializer, error, caplog):
    assert decode(signed(content), serializer) is None
    assert_reported(caplog, f"it is signed but cannot be read ({error})")


@pytest.mark.parametrize("content", [b"no zlib", b""])
def test_signed_content_that_says_it_is_compressed_and_is_not_is_nothing(content, caplog):
    text = signing.TimestampSigner(salt=SALT).sign("." + urlsafe_b64encode(content).decode())
    assert decode(text.replace("=", "")) is None
    assert decode(text) is None


def test_a_broken_compression_is_named(caplog):
    content = zlib.compress(b'{"a": 1}')[:-4]
    text = signing.TimestampSigner(salt=SALT).sign(
        "." + urlsafe_b64encode(content).strip(b"=").decode()
    )
    assert decode(text) is None
    assert_reported(caplog, "it is signed but cannot be read (error)")


@pytest.mark.parametrize(
    ("value", "name"), [([], "list"), (None, "NoneType"), (7, "int"), ("text", "str")]
)
def test_what_is_no_dictionary_is_nothing(value, name, caplog):
    assert decode(signing.dumps(value, salt=SALT)) is None
    assert_reported(caplog, f"it holds a {name} instead of a dictionary")


def test_what_can_be_read_is_not_logged(caplog):
    assert decode(encode({})) == {}
    assert decode(encode({"a": 1})) == {"a": 1}
    assert caplog.records == []


@given(st.text())
def test_no_text_raises(text):
    assert decode(text) is None


@given(st.binary())
def test_no_signed_content_raises(content):
    assert decode(signed(content)) is None or isinstance(json.loads(content), dict)


@pytest.mark.parametrize("error", [TypeError, AttributeError, KeyError, RuntimeError, OSError])
def test_the_error_of_a_broken_serializer_is_raised(error):
    """It would otherwise empty every session of the site."""

    class Broken(JSONSerializer):
        def loads(self, data):
            raise error("a bug")

    with pytest.raises(error, match="a bug"):
        decode(encode({"a": 1}), Broken)


# What cannot be stored


class Cart:
    pass


class Unpicklable:
    def __reduce__(self):
        raise pickle.PicklingError("not this one")


def circle():
    ring = []
    ring.append(ring)
    return ring


@pytest.mark.parametrize(
    ("data", "path", "value_type"),
    [
        ({"added": date(2031, 5, 17)}, "session['added']", date),
        (
            {"cart": {"items": [{"added": date(2031, 5, 17)}]}},
            "session['cart']['items'][0]['added']",
            date,
        ),
        ({"fine": 1, "prices": [1, 2, Decimal("3.50")]}, "session['prices'][2]", Decimal),
        ({"pair": (1, {2, 3})}, "session['pair'][1]", set),
        ({"a": {"b": Cart()}}, "session['a']['b']", Cart),
        ({"it's": {1}}, 'session["it\'s"]', set),
        ({"raw": b"bytes"}, "session['raw']", bytes),
        ({"names": {1: {None: {"x": object()}}}}, "session['names'][1][None]['x']", object),
        ({"seen": {(1, 2): True}}, "the key (1, 2) of session['seen']", tuple),
        ({date(2031, 5, 17): 1}, "the key datetime.date(2031, 5, 17) of session", date),
    ],
)
def test_the_error_names_the_place_the_type_and_the_remedy(data, path, value_type):
    with pytest.raises(SessionEncodeError) as caught:
        encode(data)
    error = caught.value
    assert error.path == path
    assert error.value_type is value_type
    sentence = f"{path} is of type {value_type.__module__}.{value_type.__qualname__}, which cannot"
    assert str(error).startswith(sentence)
    assert "JSONSerializer said: " in str(error)
    assert "Store a plain value in its place" in str(error)
    assert "SESSION_SERIALIZER" in str(error)


def test_the_serializer_s_own_error_is_the_cause():
    with pytest.raises(SessionEncodeError) as caught:
        encode({"a": object()})
    assert type(caught.value.__cause__) is TypeError
    assert str(caught.value.__cause__) in str(caught.value)


def test_the_error_does_not_show_the_data():
    with pytest.raises(SessionEncodeError) as caught:
        encode({"secret": "hunter2", "cart": {"card": {"4111111111111111"}}})
    assert "hunter2" not in str(caught.value)
    assert "4111111111111111" not in str(caught.value)


def test_a_value_that_holds_itself_is_an_error_that_names_where():
    with pytest.raises(SessionEncodeError) as caught:
        encode({"a": [1, circle()]})
    assert caught.value.path.startswith("session['a'][1]")
    assert caught.value.value_type is list


def test_a_value_that_is_nested_too_deeply_is_an_error_of_one_line_that_names_where():
    deep = []
    for _ in range(12_000):
        deep = [deep]
    with pytest.raises(SessionEncodeError) as caught:
        encode({"deep": deep})
    assert caught.value.path.startswith("session['deep']")
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("value", [lambda: None, Unpicklable(), (item for item in [])])
def test_what_pickle_cannot_hold_is_named_too(value):
    with pytest.raises(SessionEncodeError) as caught:
        encode({"a": [value]}, PickleSerializer)
    assert caught.value.path == "session['a'][0]"
    assert "PickleSerializer said: " in str(caught.value)


@pytest.mark.parametrize("error", [TypeError, ValueError, AttributeError, RecursionError])
def test_the_error_of_a_serializer_that_can_hold_nothing_is_its_own(error):
    class Broken(JSONSerializer):
        def dumps(self, obj):
            raise error("a bug")

    with pytest.raises(error, match="a bug") as caught:
        encode({"a": 1}, Broken)
    assert not isinstance(caught.value, SessionEncodeError)


def test_the_error_of_a_serializer_that_cannot_make_up_its_mind_is_its_own():
    class Flaky(JSONSerializer):
        calls = 0

        def dumps(self, obj):
            Flaky.calls += 1
            if Flaky.calls == 1:
                raise ValueError("a bug")
            return super().dumps(obj)

    with pytest.raises(ValueError, match="a bug"):
        encode({"a": 1}, Flaky)


def test_an_error_that_no_value_causes_is_not_explained():
    class Offline(JSONSerializer):
        def dumps(self, obj):
            raise OSError("the key server is away")

    with pytest.raises(OSError, match="the key server is away"):
        encode({"a": 1}, Offline)


def test_what_is_not_at_fault_is_never_named():
    """A sibling that can be stored, or the whole of which one part cannot."""
    with pytest.raises(SessionEncodeError) as caught:
        encode({"fine": {"x": [1, 2]}, "bad": {"also fine": 1, "worse": [{"end": {1}}]}})
    assert caught.value.path == "session['bad']['worse'][0]['end']"


@pytest.mark.parametrize("thing", [b"bytes", None, 7])
def test_what_is_no_text_is_corrupt(thing, caplog):
    assert decode(thing) is None
    assert caplog.messages == [
        f"Session data corrupted: it is not text but of type {type(thing).__name__}"
    ]


def test_a_serializer_says_what_is_too_small_to_be_compressed():
    small, large = {"a": "x" * 100}, {"a": "x" * 1000}
    assert encode(small, JSONSerializer).startswith(".")
    assert not encode(small, FastJSONSerializer).startswith(".")
    assert encode(large, FastJSONSerializer).startswith(".")
    for data in (small, large):
        text = encode(data, FastJSONSerializer)
        assert decode(text) == signing.loads(text, salt=SALT) == data
        remainder = payloads.remainder(text)
        assert payloads.rebuild(data, FastJSONSerializer, remainder) == text


def test_a_serializer_says_how_thoroughly_to_compress():
    data = {"a": [number**3 for number in range(400)]}
    text = encode(data, FastJSONSerializer)
    packed = signing.b64_decode(text[1:].partition(":")[0].encode())
    plain = FastJSONSerializer().dumps(data)
    assert packed == zlib.compress(plain, 1) != zlib.compress(plain)
    assert decode(text) == signing.loads(text, salt=SALT) == data
    assert payloads.rebuild(data, FastJSONSerializer, payloads.remainder(text)) == text
