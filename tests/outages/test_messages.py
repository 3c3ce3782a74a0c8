"""What a cache is told later: what replaces what, and who waits for whom."""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Iterator
from functools import partial
from typing import Any
from unittest import mock

import pytest
from django.views.debug import ExceptionReporter

from dj_sessions.storage.caches import Names
from dj_sessions.storage.copies import outage as outages
from dj_sessions.storage.copies.outage import Message, Outage

MOST = 3


@pytest.fixture
def outage() -> Iterator[Outage]:
    """The failures of a cache that nobody tells anything on his own."""
    with (
        mock.patch.object(outages, "MOST_PENDING", MOST),
        mock.patch.object(Outage, "_keep_telling"),
    ):
        yield Outage("default")


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def say(told: list[str]) -> Any:
    """Return a message that notes what it says of a session, or of all."""

    def say(name: str, words: str, of_all: str = "all", **kind: Any) -> Message:
        return Message(
            name,
            lambda cache: told.append(f"{name} {words}"),
            of_all,
            lambda cache: told.append(of_all),
            **kind,
        )

    return say


def test_the_end_of_a_session_gives_way_to_nothing(outage, say, told):
    outage.tell_later(say("a", "ended", is_final=True))
    outage.tell_later(say("a", "doubt"))
    assert outage.tell()
    assert told == ["a ended"]


def test_other_messages_give_way_to_later_ones(outage, say, told):
    outage.tell_later(say("a", "busy"))
    outage.tell_later(say("a", "doubt"))
    outage.tell_later(say("a", "ended", is_final=True))
    assert outage.tell()
    assert told == ["a ended"]


def test_the_oldest_of_many_messages_become_one_for_each_place(outage, say, told):
    """A key function keeps the sessions of tenants apart, and what is said of all of them."""
    for number in range(MOST + 5):
        outage.tell_later(say(str(number), "doubt", f"all of {number % 2}"))
        assert outage.is_behind(str(number))
    assert outage.is_behind("any other")
    assert outage.tell()
    assert sorted(told[:-MOST]) == ["all of 0", "all of 1"]
    assert told[-MOST:] == [f"{number} doubt" for number in range(5, MOST + 5)]
    assert not outage.is_behind("any other")


def test_what_happens_while_all_is_told_is_told_too(outage, say, told):
    def tell_all(cache: Any) -> None:
        told.append("all")
        for number in range(MOST):
            outage.tell_later(say(f"later {number}", "doubt"))

    outage.tell_later(Message("first", tell_all, "all", tell_all))
    for number in range(MOST):
        outage.tell_later(say(str(number), "doubt"))
    assert outage.tell()
    assert told == ["all", "all"]  # once more, for those whose place the later ones took
    assert outage.is_behind("later 0")
    assert outage.tell()
    assert told[2:] == [f"later {number} doubt" for number in range(MOST)]
    assert not outage.is_behind("later 0")


def test_many_messages_take_no_longer_than_few(outage, say):
    for number in range(20 * MOST):
        outage.tell_later(say(str(number), "doubt"))
    assert len(outage._pending) <= MOST
    assert len(outage._behind_as_a_whole) == 1


@pytest.fixture
def telling(outage: Outage) -> Iterator[threading.Event]:
    """Another thread is telling the cache something until the event is set."""
    begun, may_end = threading.Event(), threading.Event()

    def told_slowly(cache: Any) -> None:
        begun.set()
        may_end.wait(10)

    outage.tell_later(Message("slow", told_slowly, "all", told_slowly))
    thread = threading.Thread(target=outage.tell)
    thread.start()
    begun.wait(10)
    yield may_end
    may_end.set()
    thread.join()


def test_no_request_waits_for_another_that_tells_the_cache(outage, telling):
    assert outage.guard("reading from", mock.Mock(), lambda: "answer") == "answer"
    assert outage.is_behind("slow")


def test_a_process_that_is_forked_off_waits_for_none_of_its_parents_threads(outage, telling):
    with mock.patch.dict(outages._outages, {"default": outage}), outage._lock:
        child = os.fork()
        if not child:
            locks = outage._lock, outage._telling
            os._exit(0 if all(lock.acquire(timeout=5) for lock in locks) else 1)
        assert os.waitpid(child, 0)[1] == 0


def test_a_process_that_ends_tells_the_cache_before(say, told):
    outage = Outage("default")
    with mock.patch.object(outages, "RETRY_INTERVAL", 60):
        outage.tell_later(say("a", "ended"))
        outage.leave()
    assert told == ["a ended"]


def test_a_process_that_ends_does_not_wait_long():
    outage, may_end = Outage("default"), threading.Event()
    outage.tell_later(Message("slow", lambda cache: may_end.wait(30), "all", print))
    teller = outage._teller
    with mock.patch.object(outages, "LEAVE_TIMEOUT", 0.1):
        before = time.monotonic()
        outage.leave()
        assert time.monotonic() - before < 5
    may_end.set()
    teller.join()


def fail() -> None:
    raise ConnectionError


def test_a_cache_that_takes_nothing_is_not_told_by_each_reader(outage):
    tries = []

    def in_vain(cache: Any) -> None:
        tries.append(cache)
        raise ConnectionError

    outage.tell_later(Message("a", in_vain, "all", in_vain))
    for _ in range(5):
        assert outage.guard("reading from", mock.Mock(), lambda: "answer") == "answer"
    assert len(tries) == 1


def test_a_cache_has_just_failed_for_a_moment(outage):
    assert not outage.has_just_failed()
    outage.guard("reading from", mock.Mock(), fail)
    assert outage.has_just_failed()
    with mock.patch.object(outages, "RETRY_INTERVAL", 0):
        assert not outage.has_just_failed()
    outage.guard("reading from", mock.Mock(), lambda: "answer")
    assert not outage.has_just_failed()


def test_the_log_has_django_s_words_and_the_alias(outage, caplog):
    outage.guard("saving to", "the cache", fail)
    [record] = caplog.records
    assert record.getMessage() == "Error saving to cache (the cache)"
    assert record.cache_alias == "default"


NAME = "django.contrib.sessions.cached_db" + "0a" * 16  # not as the report quotes this line


def fail_with(name, *rest):
    entry = f":1:{name}"
    try:
        raise OSError(f"no file {entry!r}")
    except OSError as error:
        raise ConnectionError(f"refused {entry}") from error


@pytest.mark.parametrize(
    "call",
    [
        lambda outage: outage.guard("reading from", "cache", fail_with, NAME),
        lambda outage: outage.guard("saving to", "cache", partial(fail_with, NAME), {}),
        lambda outage: outage.guard("saving to", "cache", partial(fail_with, *Names(NAME, "", ""))),
    ],
    ids=["argument", "prepared", "names"],
)
def test_the_log_of_an_outage_names_no_entry(outage, caplog, call):
    """The name has the session key in it; a report by mail shows what frames hold."""
    call(outage)
    [record] = caplog.records
    assert NAME not in caplog.text
    assert "ConnectionError: refused :1:…" in caplog.text
    report = ExceptionReporter(None, *record.exc_info).get_traceback_html()
    assert NAME not in report
    assert "fail_with" in report


def test_the_log_of_an_outage_leaves_an_error_alone_that_is_handled_meanwhile(outage, caplog):
    def view():
        colour = "green"
        raise LookupError(f"not {colour}")

    try:
        view()
    except LookupError as error:
        outage.guard("reading from", "cache", fail)
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    assert frames[-1].f_locals == {"colour": "green"}
    assert "not green" not in caplog.text
