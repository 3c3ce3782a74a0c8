"""A recorder may raise, wait, be interrupted or use sessions itself: no session suffers from it."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from django.test import override_settings

from dj_sessions._metrics import recording
from dj_sessions._metrics.instruments import INSTRUMENTS
from dj_sessions._metrics.recording import record
from dj_sessions._session import contention
from dj_sessions.checks.metrics import check_metrics
from tests.patience import PATIENCE
from tests.stores import in_thread

ONE_STORE = pytest.mark.stores(name="db-sqlite")
STORES = pytest.mark.stores(name=("db-sqlite", "redis", "cached_db-sqlite-locmem", "file"))

act: Any = None


def note(name: str, value: float, attributes: dict[str, str]) -> None:
    act(name.removeprefix("dj_sessions."))


@pytest.fixture
def recorder(monkeypatch):
    """What is to be done where a value is recorded."""

    def set_act(call: Any) -> None:
        monkeypatch.setitem(globals(), "act", call)

    set_act(lambda name: None)
    with override_settings(SESSION_METRICS=f"{__name__}.note"):
        yield set_act


def stored(store: Any, mode: Any, **data: Any) -> Any:
    session = mode.wrap(store.SessionStore())
    session.update({"colour": "green"} | data)
    session.save()
    return session


def opened(store: Any, mode: Any, session: Any) -> Any:
    return mode.wrap(store.SessionStore(session.session_key))


def live(store: Any, mode: Any) -> None:
    """What a session may go through, a conflict among it; asserts that it did."""
    session = stored(store, mode)
    one, other = opened(store, mode, session), opened(store, mode, session)
    one.set("one", 1)
    other.set("other", 1)
    one.save()
    other.save()
    assert dict(opened(store, mode, session).items()) == {"colour": "green", "one": 1, "other": 1}
    other.cycle_key()
    assert opened(store, mode, other).get("one") == 1
    other.flush()
    assert opened(store, mode, other).get("one") is None


@STORES
def test_one_that_always_raises_changes_nothing(store, mode, recorder, caplog):
    def fail(name: str) -> None:
        raise OSError("no route to the collector")

    recorder(fail)
    live(store, mode)
    lines = [each.getMessage() for each in caplog.records]
    assert lines
    assert all("no route to the collector" in line or "these lines" in line for line in lines)


class Interrupted(BaseException):
    """As a greenlet's time limit, or Ctrl-C."""


INTERRUPTED = {
    "storage.duration": lambda session: session.save(),
    "saves": lambda session: session.save(),
    "save.size": lambda session: session.save(),
    "save.conflicts": lambda session: session.save(),
    "merges": lambda session: session.save(),
    "key.changes": lambda session: session.cycle_key(),
    "ended": lambda session: session.flush(),
}


@STORES
@pytest.mark.parametrize("where", INTERRUPTED)
def test_one_that_is_interrupted_leaves_the_session_whole(where, store, mode, recorder):
    session = stored(store, mode)
    met, other = opened(store, mode, session), opened(store, mode, session)
    met.set("size", 1)
    other.set("weight", 1)
    if where in ("save.conflicts", "merges"):
        other.save()

    def interrupt(name: str) -> None:
        if name == where:
            raise Interrupted

    recorder(interrupt)
    with pytest.raises(Interrupted):
        INTERRUPTED[where](met)
    recorder(lambda name: None)
    assert contention._turns.taken == {}
    after = opened(store, mode, session)
    if where in ("key.changes", "ended"):
        assert after.get("weight") is None
        return
    after.set("later", 1)
    after.save()
    kept = dict(opened(store, mode, session).items())
    assert (kept["colour"], kept["later"]) == ("green", 1)


@ONE_STORE
def test_one_that_uses_sessions_itself_is_told_of_those_of_others_alone(store, mode, recorder):
    """Else it would be told of its own, without an end."""
    told: list[str] = []

    def use(name: str) -> None:
        told.append(name)
        own = store.SessionStore()
        own["colour"] = "blue"
        own.save()
        own.flush()

    recorder(use)
    session = stored(store, mode)
    assert told == ["storage.duration", "saves", "save.size", "started"]
    assert opened(store, mode, session).get("colour") == "green"


@ONE_STORE
@pytest.mark.modes("sync")
def test_one_that_waits_holds_up_its_own_request_alone(store, mode, recorder):
    waits, goes_on = threading.Event(), threading.Event()
    here = threading.current_thread()

    def wait(name: str) -> None:
        if threading.current_thread() is not here:
            waits.set()
            assert goes_on.wait(PATIENCE)

    recorder(wait)
    thread = threading.Thread(target=in_thread, args=[stored, store, mode])
    thread.start()
    assert waits.wait(PATIENCE)
    live(store, mode)
    assert thread.is_alive()
    goes_on.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_what_one_raises_is_logged_by_its_class_and_never_fast(recorder, caplog):
    def fail(name: str) -> None:
        raise OSError("no route")

    recorder(fail)
    for _ in range(1000):
        for each in INSTRUMENTS:
            record(each, 1, *("x" for _ in each.attributes))
    assert len(caplog.records) < 50
    assert {each.levelno for each in caplog.records} == {logging.ERROR}


async def anote(name: str, value: float, attributes: dict[str, str]) -> None:
    raise AssertionError("nobody awaits it")


def test_a_coroutine_function_is_refused():
    with override_settings(SESSION_METRICS=f"{__name__}.anote"):
        assert recording.recorders == []
        [error] = check_metrics(None)
    assert error.id == "dj_sessions.E114"
    assert error.hint.endswith("and is not async.")


@pytest.mark.parametrize("client", ["prometheus", "opentelemetry"])
def test_a_client_that_is_named_twice_counts_once(client):
    with override_settings(SESSION_METRICS=[client, client]):
        assert len(recording.recorders) == 1


@STORES
@pytest.mark.parametrize("where", ["storage.duration", "saves", "save.size"])
def test_one_that_changes_the_session_which_is_being_saved_changes_it_for_the_next_save(
    where, store, mode, recorder
):
    session = stored(store, mode)

    def change(name: str) -> None:
        if name == where:
            session.raw["noted"] = 1

    session.set("size", 1)
    recorder(change)
    session.save()
    recorder(lambda name: None)
    assert session.raw.modified
    other = opened(store, mode, session)
    other.set("weight", 1)
    other.save()
    session.save()
    kept = {"colour": "green", "size": 1, "weight": 1, "noted": 1}
    assert dict(opened(store, mode, session).items()) == kept
