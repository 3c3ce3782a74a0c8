"""What Django's sessions wrote is read by ours, and what ours wrote by Django's."""

import base64
import random
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tests.interop.places import OURS, Place
from tests.interop.processes import CommandFailed, Worker
from tests.interop.remote import RemoteSession, call

DATA: dict[str, dict[str, Any]] = {
    "empty": {},
    "scalars": {"none": None, "yes": True, "int": -(2**70), "float": 0.1, "empty": ""},
    "nested": {"cart": {"items": [{"id": 1, "sizes": [[], {}, [None, [False]]]}], "": {"": {}}}},
    "unicode": {
        "astral": "\N{MATHEMATICAL SCRIPT SMALL A}\N{GRINNING FACE}",
        "nul": "before\0after",
        "rtl": "\N{RIGHT-TO-LEFT OVERRIDE}שלום\N{POP DIRECTIONAL FORMATTING} سلام",
        "combining": "e\N{COMBINING ACUTE ACCENT}",
        "surrogate": "\ud800",
        "\N{SNOWMAN}:/\\\"'\n": "a key with separators",
    },
    "a compressible megabyte": {"text": "abcdefghij" * 100_000},
    "200 kB of noise": {"text": base64.b64encode(random.Random(1).randbytes(150_000)).decode()},
}

SOON = datetime.now(UTC) + timedelta(days=2, microseconds=1)
EXPIRIES: dict[str, Any] = {
    "seconds": 3600,
    "browser close": 0,
    "none": None,
    "datetime": SOON,
    "datetime elsewhere": SOON.astimezone(timezone(timedelta(hours=5, minutes=45))),
    "timedelta": timedelta(hours=5),
}
PAST = {
    "seconds": -1,
    "datetime": datetime(2001, 1, 1, tzinfo=UTC),
    "timedelta": timedelta(hours=-5),
}

NEW, OLD = "a new secret key, with which this site signs from today on: 012345", "x" * 60
ROTATED = {"SECRET_KEY": NEW, "SECRET_KEY_FALLBACKS": [OLD]}


#: A signed cookie is nowhere but in the browser.
server_side = pytest.mark.stores("db", "cache", "cached_db", "file")


@pytest.mark.parametrize("name", DATA)
def test_data_is_read_as_it_was_written(
    writer: Worker, reader: Worker, spelling: str, name: str
) -> None:
    key = RemoteSession(writer, spelling).write(DATA[name])
    session = RemoteSession(reader, spelling, key)
    assert session.read() == DATA[name]


@pytest.mark.parametrize("name", EXPIRIES)
def test_an_expiry_means_the_same_to_the_reader(
    writer: Worker, reader: Worker, spelling: str, name: str
) -> None:
    key = RemoteSession(writer, spelling).write({"a": 1}, call("set_expiry", EXPIRIES[name]))
    then = datetime.now(UTC)
    look = [
        call("items"),
        call("get_expiry_age", modification=then),
        call("get_expiry_date", modification=then),
        call("get_expire_at_browser_close"),
    ]
    written = RemoteSession(writer, spelling, key).do(*look)
    assert RemoteSession(reader, spelling, key).do(*look) == written
    assert dict(written[0])["a"] == 1


@pytest.mark.parametrize("name", PAST)
def test_what_is_over_is_over_for_the_reader_as_if_it_had_written_it_itself(
    writer: Worker, reader: Worker, spelling: str, name: str
) -> None:
    expiry = call("set_expiry", PAST[name])
    own, foreign = (
        RemoteSession(reader, spelling, RemoteSession(site, spelling).write({"a": 1}, expiry))
        for site in (reader, writer)
    )
    assert foreign.read().keys() == own.read().keys()


def test_the_reader_goes_on_with_the_session_and_the_writer_after_it(
    writer: Worker, reader: Worker, spelling: str
) -> None:
    first = RemoteSession(writer, spelling)
    first.write({"kept": 1, "changed": 1, "removed": 1})
    second = RemoteSession(reader, spelling, first.key)
    second.do(call("pop", "removed"), call("update", {"changed": 2, "new": [3]}), call("save"))
    third = RemoteSession(writer, spelling, second.key)
    assert third.read() == {"kept": 1, "changed": 2, "new": [3]}


def test_a_key_cycled_by_the_reader_is_the_writers_new_key(
    writer: Worker, reader: Worker, spelling: str, place: Place
) -> None:
    key = RemoteSession(writer, spelling).write({"a": 1})
    session = RemoteSession(reader, spelling, key)
    session.do(call("get", "a"), call("cycle_key"), call("save"))
    assert RemoteSession(writer, spelling, session.key).read() == {"a": 1}
    if place.case.server_side:
        assert RemoteSession(writer, spelling, key).read() == {}


@server_side
def test_both_agree_on_which_sessions_exist(writer: Worker, reader: Worker, spelling: str) -> None:
    key = RemoteSession(writer, spelling).write({"a": 1})
    session = RemoteSession(reader, spelling)
    assert session.do(call("exists", key)) == [True]
    session.do(call("delete", key))
    assert RemoteSession(writer, spelling).do(call("exists", key)) == [False]


@server_side
def test_a_session_ended_by_the_reader_cannot_be_saved_by_the_writer(
    writer: Worker, reader: Worker, spelling: str
) -> None:
    key = RemoteSession(writer, spelling).write({"a": 1})
    RemoteSession(reader, spelling, key).do(call("flush"))
    with pytest.raises(CommandFailed) as failure:
        RemoteSession(writer, spelling, key).do(call("clear"), call("save"))
    assert failure.value.name == "UpdateError"


def test_a_rotated_secret_key_is_honoured(writer: Worker, reader: Worker, spelling: str) -> None:
    before = {"SECRET_KEY": OLD}
    key = RemoteSession(writer, spelling, overrides=before).write({"a": 1})
    session = RemoteSession(reader, spelling, key, ROTATED)
    assert session.read() == {"a": 1}
    session.do(call("update", {"b": 2}), call("save"))
    after = {"SECRET_KEY": NEW}
    assert RemoteSession(writer, spelling, session.key, after).read() == {"a": 1, "b": 2}


@pytest.mark.stores("db", "cached_db", "file", "signed_cookies")  # a cache signs nothing
def test_a_foreign_secret_key_is_not(
    writer: Worker, reader: Worker, spelling: str, place: Place
) -> None:
    key = RemoteSession(writer, spelling, overrides={"SECRET_KEY": OLD}).write({"a": 1})
    if place.case.engine == "cached_db":
        writer.ask("forget_cached", key=key)
    assert RemoteSession(reader, spelling, key).read() == {}


def test_pickled_data_is_read(writer: Worker, reader: Worker, spelling: str) -> None:
    """On Django a site has to bring a pickle serializer along."""
    data = {"moment": SOON, "numbers": {1, 2}, "pair": (1, 2), 3: b"bytes"}
    key = RemoteSession(writer, spelling, overrides=pickling(writer)).write(data)
    assert RemoteSession(reader, spelling, key, pickling(reader)).read() == data


def pickling(site: Worker) -> dict[str, Any]:
    home = "dj_sessions.serializers" if site.ask("package") == OURS else "tests.interop.pickled"
    return {"SESSION_SERIALIZER": f"{home}.PickleSerializer"}


@pytest.mark.stores("cached_db")
def test_a_cached_copy_and_the_row_below_it_read_the_same(
    writer: Worker, reader: Worker, spelling: str
) -> None:
    key = RemoteSession(writer, spelling).write(DATA["unicode"])
    session = RemoteSession(reader, spelling, key)
    assert session.read() == DATA["unicode"]
    writer.ask("forget_cached", key=key)
    assert session.read() == DATA["unicode"]
    reader.ask("forget_cached", key=key)
    session.do(call("update", {"more": 1}), call("save"))
    assert RemoteSession(writer, spelling, key).read() == DATA["unicode"] | {"more": 1}


@pytest.mark.stores("db", "cached_db")
def test_a_row_is_decoded_by_the_model_of_either_side(
    writer: Worker, reader: Worker, spelling: str
) -> None:
    key = RemoteSession(writer, spelling).write(DATA["nested"])
    assert reader.ask("decode_row", key=key) == DATA["nested"]


@pytest.mark.stores("db", "file")
def test_expired_sessions_are_cleared_by_the_command_of_either_side(
    writer: Worker, reader: Worker, spelling: str
) -> None:
    over = RemoteSession(writer, spelling).write({"a": 1}, call("set_expiry", PAST["datetime"]))
    alive = RemoteSession(writer, spelling).write({"a": 2}, call("set_expiry", SOON))
    reader.ask("manage", arguments=["clearsessions"])
    session = RemoteSession(writer, spelling)
    assert session.do(call("exists", over), call("exists", alive)) == [False, True]
