"""A value that cannot be stored is an error that says where it is and what to do."""

import threading
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.test import override_settings

from dj_sessions.exceptions import SessionEncodeError
from tests.contract.traffic import traffic
from tests.contract.visits import session_cookie, visit

NOON = datetime(2030, 6, 1, 12, tzinfo=UTC)


class Unstorable:
    """A value that neither JSON nor pickle can hold."""

    def __reduce__(self):
        raise TypeError("this cannot be pickled")


def circular():
    ring = {"next": {}}
    ring["next"]["next"] = ring
    return ring


#: session[...] = ..., where the fault is, its type, for the engines that write JSON.
JSON_CANNOT = {
    "datetime": ("cart", {"items": [{"added": NOON}]}, "session['cart']['items'][0]['added']"),
    "tuple": (
        "cart",
        {"items": (1, {"price": Decimal(5)})},
        "session['cart']['items'][1]['price']",
    ),
    "set": ("seen", {1, 2}, "session['seen']"),
    "bytes": ("raw", [b"bytes"], "session['raw'][0]"),
    "object": ("deep", [[[object()]]], "session['deep'][0][0][0]"),
    "key": ("map", {"of": {(1, 2): "pair"}}, "the key (1, 2) of session['map']['of']"),
    "quotes": ("it's", {'a "quote"': {1}}, 'session["it\'s"][\'a "quote"\']'),
}

#: The same for the engines whose cache pickles.
PICKLE_CANNOT = {
    "own class": ("cart", {"items": [{"x": Unstorable()}]}, "session['cart']['items'][0]['x']"),
    "lambda": ("call", [lambda: None], "session['call'][0]"),
    "lock": ("lock", (1, threading.Lock()), "session['lock'][1]"),
}


def assert_refused(session, name, value, path, remedy):
    """Saving `value` fails with its path, type and remedy, and nothing is stored."""
    session.set("size", 3)
    session.set(name, value)
    with pytest.raises(SessionEncodeError) as caught:
        session.save()
    error = caught.value
    message = str(error)
    assert isinstance(error, TypeError)
    assert error.path == path
    assert message.startswith(path)
    assert error.value_type.__qualname__ in message
    assert "Store a" in message
    assert remedy in message
    assert error.__cause__ is not None


@pytest.mark.stores("db", "cached_db", "file", "signed_cookies")
def test_a_value_that_json_cannot_hold_is_named(store, save, reopen):
    key = save(colour="green")
    for name, value, path in JSON_CANNOT.values():
        session = reopen(key)
        assert session.get("colour") == "green"
        with traffic(store) as said:
            assert_refused(session, name, value, path, "SESSION_SERIALIZER")
        assert said.writes == []
    assert dict(reopen(key).items()) == {"colour": "green"}


@pytest.mark.stores("cache")
@pytest.mark.usefixtures("no_encryption")
def test_a_value_that_a_cache_cannot_hold_is_named(store, save, reopen):
    key = save(colour="green")
    for name, value, path in PICKLE_CANNOT.values():
        session = reopen(key)
        assert session.get("colour") == "green"
        with traffic(store) as said:
            assert_refused(session, name, value, path, "the cache can hold")
        assert said.writes == []
    assert dict(reopen(key).items()) == {"colour": "green"}


@pytest.mark.stores("db", "cached_db", "file", "signed_cookies")
def test_data_that_contains_itself_is_named(new):
    session = new()
    session.set("ring", circular())
    with pytest.raises(SessionEncodeError, match=r"session\['ring'\]\['next'\]") as caught:
        session.save()
    assert caught.value.value_type is dict


def test_the_first_save_of_a_value_that_cannot_be_stored_makes_nothing(store, new):
    session = new()
    session.set("call", Unstorable())
    with traffic(store) as said, pytest.raises(SessionEncodeError, match=r"session\['call'\]"):
        session.save()
    assert said.writes == []


def test_the_session_can_be_saved_once_the_value_is_gone(new, reopen):
    session = new()
    session.set("colour", "green")
    session.set("call", Unstorable())
    with pytest.raises(SessionEncodeError):
        session.save()
    session.pop("call")
    session.save()
    assert dict(reopen(session.session_key).items()) == {"colour": "green"}


def test_the_site_hears_of_the_value_and_the_visitor_keeps_the_session(store, mode, save, reopen):
    key = save(colour="green")
    with pytest.raises(SessionEncodeError, match=r"session\['cart'\]\['items'\]\[0\]"):
        visit(mode, lambda s: s.set("cart", {"items": [Unstorable()]}), cookie=key)
    answer = visit(
        mode, lambda s: s.set("cart", {"items": [Unstorable()]}), cookie=key, raises=False
    )
    assert answer.status_code == 500
    assert session_cookie(answer) is None
    assert dict(reopen(key).items()) == {"colour": "green"}


@pytest.mark.stores("cache")
@pytest.mark.usefixtures("no_encryption")
def test_a_cache_keeps_the_types_of_python(save, reopen):
    data = {"added": NOON, "seen": {1, 2}, "price": Decimal(5), 7: "int key"}
    assert dict(reopen(_saved(reopen(None), data)).items()) == data


def _saved(session, data):
    session.update(data)
    session.save()
    return session.session_key


@pytest.mark.stores("db", "cached_db", "file", "signed_cookies")
def test_what_json_changes_is_the_same_from_every_place(store, reopen):
    """A tuple becomes a list and an int key text: also from a cache in front of the database."""
    key = _saved(reopen(None), {"pair": (1, 2), "map": {7: "seven"}})
    assert dict(reopen(key).items()) == {"pair": [1, 2], "map": {"7": "seven"}}


class Broken:
    """A serializer with a bug on reading, on writing, or on both."""

    error: type[Exception]

    def dumps(self, obj):
        return b"{}"

    def loads(self, data):
        raise self.error("a bug in the serializer")


class BrokenByType(Broken):
    error = TypeError


class BrokenByAttribute(Broken):
    error = AttributeError


class BrokenByName(Broken):
    error = NameError


class BrokenByKey(Broken):
    error = KeyError


class BrokenOnWriting:
    def dumps(self, obj):
        raise NameError("a bug in the serializer")

    def loads(self, data):
        return {}


class RefusesEverything:
    def dumps(self, obj):
        raise TypeError("a bug in the serializer")

    def loads(self, data):
        return {}


@pytest.mark.stores("db", "cached_db", "file", "signed_cookies")
def test_a_serializer_that_is_broken_on_reading_is_an_error(save, reopen):
    for serializer in Broken.__subclasses__():
        with (
            override_settings(SESSION_SERIALIZER=f"{__name__}.{serializer.__name__}"),
            pytest.raises(serializer.error, match="a bug in the serializer"),
        ):
            # Behind a cache the data are read back as soon as they are stored.
            reopen(save(colour="green")).get("colour")


@pytest.mark.stores("db", "cached_db", "file", "signed_cookies")
def test_a_serializer_that_is_broken_on_writing_is_an_error_of_its_own(new):
    for serializer in (BrokenOnWriting, RefusesEverything):
        session = new()
        session.set("colour", "green")
        with (
            override_settings(SESSION_SERIALIZER=f"{__name__}.{serializer.__name__}"),
            pytest.raises((NameError, TypeError), match=r"^a bug in the serializer$") as caught,
        ):
            session.save()
        assert not isinstance(caught.value, SessionEncodeError)
