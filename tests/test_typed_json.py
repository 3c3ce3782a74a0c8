"""`TypedJSONSerializer`: values come back as what they were, and nothing else does."""

import enum
import json
from collections import OrderedDict, defaultdict, namedtuple
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dj_sessions._codec import payloads, signed_text, typed_json
from dj_sessions.serializers import FastJSONSerializer, JSONSerializer, TypedJSONSerializer

PLAIN = JSONSerializer()
TYPED = TypedJSONSerializer()
KATHMANDU = timezone(timedelta(hours=5, minutes=45))


def back(value):
    return TYPED.loads(TYPED.dumps(value))


def alike(value):
    """Told apart by type, at every depth; a set by its elements."""
    if isinstance(value, dict):
        return {repr(alike(key)): alike(part) for key, part in value.items()}
    if isinstance(value, set | frozenset):
        return type(value), sorted(repr(alike(part)) for part in value)
    if isinstance(value, list | tuple):
        return type(value), [alike(part) for part in value]
    if isinstance(value, datetime | time) and value.tzinfo is not None:
        value = value.replace(fold=0)  # the offset says which of two moments it is
    return type(value), repr(value)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from(["~", "~date", "~dict", "\n"])
)
NAMES = st.text() | st.sampled_from(["~date", "~dict", "~tuple", "~", "~money"])
JSON = st.recursive(
    SCALARS,
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(NAMES, parts, max_size=2),
    max_leaves=6,
)
RICH = (
    st.datetimes(timezones=st.none() | st.just(UTC) | st.just(KATHMANDU))
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.binary()
)
KEYS = SCALARS | RICH | st.tuples(SCALARS, RICH) | st.frozensets(SCALARS, max_size=2)
ANYTHING = st.recursive(
    SCALARS | RICH | st.sets(KEYS, max_size=3),
    lambda parts: (
        st.lists(parts, max_size=3)
        | st.lists(parts, max_size=3).map(tuple)
        | st.dictionaries(NAMES, parts, max_size=2)
        | st.dictionaries(KEYS, parts, max_size=2)
    ),
    max_leaves=6,
)


@given(st.dictionaries(NAMES, ANYTHING, max_size=3))
def test_everything_comes_back_as_what_it_was(data):
    assert alike(back(data)) == alike(data)


@given(st.dictionaries(NAMES, JSON, max_size=3))
def test_plain_data_is_django_s_json_byte_for_byte(data):
    assert TYPED.dumps(data) == PLAIN.dumps(data)
    assert TYPED.loads(PLAIN.dumps(data)) == data


@given(st.dictionaries(NAMES, ANYTHING, max_size=3))
def test_data_that_comes_back_is_written_as_before(data):
    """A copy in a cache can have the payload of its row made again."""
    text = TYPED.dumps(data)
    assert TYPED.dumps(TYPED.loads(text)) == text
    assert text.isascii()


@pytest.mark.parametrize("tag", [*typed_json._LOADS, "~money", "~"])
@pytest.mark.parametrize("content", ["2031-05-17", [], [["a", 1]], 5, None, {"~date": "x"}])
def test_what_looks_like_a_tag_is_data(tag, content):
    lookalike = {tag: content}
    for data in (lookalike, {"a": lookalike}, {"a": [{"b": lookalike}]}):
        assert back(data) == data
        assert TYPED.loads(PLAIN.dumps(data)) == data  # written before the change
        beside = {"visitor": data, "ours": date(2031, 5, 17)}
        assert alike(back(beside)) == alike(beside)
        assert alike(back({"pair": (data,)})) == alike({"pair": (data,)})


def test_no_text_in_the_data_makes_tags_count():
    text = json.dumps({"a": {"~date": "2031-05-17"}, "b": "}\n"}, separators=(",", ":")).encode()
    assert TYPED.loads(text) == {"a": {"~date": "2031-05-17"}, "b": "}\n"}


@pytest.mark.parametrize("serializer", [JSONSerializer, FastJSONSerializer])
def test_another_serializer_shows_the_tags_and_loses_the_types(serializer):
    """A server that does not have it yet; no session is lost by that."""
    text = payloads.encode({"day": date(2031, 5, 17), "n": 1}, TypedJSONSerializer, "salt")
    assert payloads.decode(text, serializer, "salt") == {"day": {"~date": "2031-05-17"}, "n": 1}
    again = payloads.encode({"day": {"~date": "2031-05-17"}, "n": 1}, serializer, "salt")
    data = payloads.decode(again, TypedJSONSerializer, "salt")
    assert data == {"day": {"~date": "2031-05-17"}, "n": 1}


class Colour(enum.StrEnum):
    GREEN = "green"


class Level(enum.IntEnum):
    HIGH = 3


class Stamp(datetime):
    """A subclass, as libraries have them."""


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Colour.GREEN, "green"),
        (Level.HIGH, 3),
        (Stamp(2031, 5, 17), datetime(2031, 5, 17)),
        (Point(1, (2,)), (1, (2,))),
        (OrderedDict(a=(1,)), {"a": (1,)}),
        (defaultdict(list, {1: [2]}), {1: [2]}),
        (Decimal("1.00"), Decimal("1.00")),
        (Decimal("-0"), Decimal("-0")),
        (timedelta(days=-1, microseconds=1), timedelta(days=-1, microseconds=1)),
        (time(12, 30, tzinfo=KATHMANDU), time(12, 30, tzinfo=KATHMANDU)),
        (
            datetime(2031, 5, 17, tzinfo=ZoneInfo("Asia/Kathmandu")),
            datetime(2031, 5, 17, tzinfo=KATHMANDU),
        ),
        ({1: "a", "1": "b", None: "c"}, {1: "a", "1": "b", None: "c"}),
        ({(1, date(2031, 5, 17)): {frozenset({1})}}, {(1, date(2031, 5, 17)): {frozenset({1})}}),
        ({}, {}),
        ((), ()),
        (set(), set()),
    ],
)
def test_a_subclass_comes_back_as_what_it_derives_from(value, expected):
    assert alike(back({"a": [value]})) == alike({"a": [expected]})


@pytest.mark.parametrize(
    "value",
    [
        object(),
        lambda: None,
        bytearray(b"a"),
        range(3),
        time(12, tzinfo=ZoneInfo("Asia/Kathmandu")),
    ],
)
def test_what_it_cannot_hold_is_refused(value):
    for data in ({"a": value}, {"a": [value], "day": date(2031, 5, 17)}, {"a": (value,)}):
        with pytest.raises(TypeError):
            TYPED.dumps(data)


def test_data_that_holds_itself_is_refused():
    ring = {}
    ring["ring"] = [ring]
    with pytest.raises(ValueError, match="Circular"):
        TYPED.dumps(ring)
    ring["day"] = date(2031, 5, 17)
    with pytest.raises(RecursionError):
        TYPED.dumps(ring)


def test_plain_data_may_be_nested_as_deeply_as_json_may():
    deep = []
    for _ in range(500):
        deep = [deep]
    assert TYPED.dumps({"deep": deep}) == PLAIN.dumps({"deep": deep})


# Types of a site's own


@dataclass(frozen=True)
class Money:
    amount: Decimal
    currency: str


class Pounds(Money):
    pass


@pytest.fixture
def money(monkeypatch):
    monkeypatch.setattr(typed_json, "KINDS", dict(typed_json.KINDS))
    monkeypatch.setattr(typed_json, "_LOADS", dict(typed_json._LOADS))
    TypedJSONSerializer.register(
        Money, "money", lambda money: [money.amount, money.currency], lambda parts: Money(*parts)
    )


@pytest.mark.usefixtures("money")
def test_a_registered_type_comes_back_with_what_is_in_it():
    price = Money(Decimal("3.50"), "GBP")
    data = {"price": price, "prices": {price: (price,)}, "visitor": {"~money": ["1", "x"]}}
    assert back(data) == data
    assert back({"price": Pounds(Decimal(1), "GBP")}) == {"price": Money(Decimal(1), "GBP")}


@pytest.mark.parametrize("type_", [str, int, float, bool, type(None), list, dict])
def test_what_json_writes_by_itself_cannot_be_registered(type_):
    with pytest.raises(ValueError, match=f"builtins.{type_.__name__} cannot be registered"):
        TypedJSONSerializer.register(type_, "mine", str, type_)


@pytest.mark.usefixtures("money")
def test_a_name_stands_for_one_type():
    with pytest.raises(ValueError, match=r"'money' stands for .*Money already"):
        TypedJSONSerializer.register(Point, "money", list, tuple)
    with pytest.raises(ValueError, match="'dict' stands for"):
        TypedJSONSerializer.register(Point, "dict", list, tuple)
    again = type("Money", (), {"__module__": Money.__module__, "__qualname__": "Money"})
    TypedJSONSerializer.register(again, "money", vars, lambda parts: again())
    assert type(back({"a": again()})["a"]) is again


def test_a_type_that_is_registered_no_more_is_corrupt_as_a_class_that_is_gone(caplog):
    text = payloads.encode({"day": date(2031, 5, 17)}, TypedJSONSerializer, "salt")
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(typed_json._LOADS, "~date")
        assert payloads.decode(text, TypedJSONSerializer, "salt") is None
    assert "it is signed but cannot be read (Unknown)" in caplog.text


@pytest.mark.parametrize(
    "value",
    ['{"~date":5}', '{"~decimal":"x"}', '{"~set":[{}]}', '{"~timedelta":[1e300]}', '{"~uuid":1}'],
)
def test_what_its_type_cannot_read_is_corrupt(value):
    """As when a site has changed what its own type dumps."""
    text = signed_text.sign(b'{"a":%b}\n' % value.encode(), "salt")
    assert payloads.decode(text, TypedJSONSerializer, "salt") is None


@given(st.dictionaries(NAMES, ANYTHING, max_size=3))
def test_two_readers_have_the_same_to_compare(data):
    """What nobody has changed is no change to the merge."""
    from dj_sessions._session.merge import changes

    text = TYPED.dumps(data)
    assert changes(TYPED.loads(text), TYPED.loads(text), tuples_are_lists=False) == set()
