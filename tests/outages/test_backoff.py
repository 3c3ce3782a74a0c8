"""A cache that fails is left alone for a moment, and the log says so once."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from django.views.debug import ExceptionReporter

from dj_sessions.storage.copies import generations
from dj_sessions.storage.copies import outage as outages
from dj_sessions.storage.copies.outage import Outage
from tests.metrics.told import Told, telling
from tests.patience import PATIENCE


class Clock:
    """The time, which stands still until somebody moves it."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    with mock.patch.object(outages, "time", clock):
        yield clock


@pytest.fixture
def outage(clock: Clock) -> Outage:
    return Outage("default")


def fail() -> None:
    raise ConnectionError


class Server:
    """Answers or not, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked, self.answers = 0, True

    def __call__(self) -> str:
        self.asked += 1
        if not self.answers:
            raise TimeoutError
        return "answer"


@pytest.fixture
def server() -> Server:
    return Server()


def rests(clock: Clock, call: Any, server: Server) -> float:
    """Return for how long the server is left alone from now on."""
    before, began = server.asked, clock.now
    while server.asked == before:
        clock.now += 0.05
        call()
    return round(clock.now - began, 1)


def test_a_server_that_has_failed_is_left_alone_for_a_moment_that_grows(outage, clock, server):
    server.answers = False

    def read():
        return outage.read("cache", (), server)

    assert read() is None
    assert [rests(clock, read, server) for _ in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5]
    server.answers = True
    clock.now += 5
    assert [read() for _ in range(3)] == ["answer"] * 3
    server.answers = False
    read()
    assert rests(clock, read, server) == 0.1


def test_one_request_tries_and_the_others_go_on_without(outage, clock, server):
    server.answers = False
    outage.read("cache", (), server)
    clock.now += 0.2
    asked = server.asked

    def slowly() -> str:
        assert [outage.read("cache", (), server) for _ in range(5)] == [None] * 5
        return "answer"

    assert outage.read("cache", (), slowly) == "answer"
    assert server.asked == asked
    assert outage.read("cache", (), Server()) == "answer"


def test_who_tries_and_never_comes_back_holds_up_nobody_for_long(outage, clock, server):
    outage.read("cache", (), fail)
    clock.now += 0.2
    with pytest.raises(KeyboardInterrupt):
        outage.read("cache", (), mock.Mock(side_effect=KeyboardInterrupt))
    assert outage.read("cache", (), server) is None
    clock.now += outages.CLAIM
    assert outage.read("cache", (), server) == "answer"


def test_a_server_that_cannot_be_read_is_not_written_to_in_the_same_request(outage, server):
    outage.read("cache", (), fail)
    assert outage.write("cache", (), server) is None
    assert server.asked == 0


def test_a_server_that_takes_nothing_goes_on_being_read(outage, server):
    outage.write("cache", (), fail)
    assert outage.read("cache", (), server) == "answer"
    assert outage.write("cache", (), server) is None


def lines(caplog: Any) -> list[str]:
    return [record.getMessage().partition(";")[0] for record in caplog.records]


def test_it_answers_again_when_it_can_be_read(outage, clock, caplog, server):
    outage.read("cache", (), fail)
    clock.now += 1
    assert outage.write("cache", (), server) == "answer"
    assert lines(caplog) == ["Error reading from cache (cache)"]
    assert outage.read("cache", (), server) == "answer"
    assert lines(caplog)[1:] == ["The cache 'default' answers again"]


def test_it_answers_again_when_it_takes_what_is_written(outage, clock, caplog, server):
    outage.write("cache", (), fail)
    for _ in range(3):
        outage.read("cache", (), server)
    assert lines(caplog) == ["Error saving to cache (cache)"]
    clock.now += 1
    outage.write("cache", (), server)
    assert lines(caplog)[1:] == ["The cache 'default' answers again"]


def test_an_outage_that_lasts_is_logged_once_per_interval(outage, clock, caplog):
    for _ in range(100):
        outage.read("cache", (), fail)
        clock.now += 1
    assert len(caplog.records) == 2


def test_a_process_that_is_forked_off_waits_for_none_of_its_parents_threads():
    with mock.patch.object(os, "getpid"):
        child = os.fork()
        if not child:
            os._exit(0 if outages.lock.acquire(timeout=PATIENCE) else 1)
        assert os.waitpid(child, 0)[1] == 0


def test_a_generation_that_owes_something_is_not_forgotten():
    generations.fell_behind("owes")
    generations.of("owes nothing")
    for number in range(generations.MOST_KNOWN + 10):
        generations.of(number)
    assert len(generations._known) == generations.MOST_KNOWN
    assert generations._known["owes"].is_behind
    assert "owes nothing" not in generations._known


def test_what_is_missed_during_a_renewal_is_owed_after_it():
    generations.fell_behind("key")
    generation = generations.of("key")
    missed = generation.missed
    generations.fell_behind("key")
    generation.caught_up(missed)
    assert generation.is_behind
    generation.caught_up(generation.missed)
    assert not generation.is_behind


def test_the_log_has_django_s_words_and_the_alias(outage, caplog):
    outage.write("the cache", (), fail)
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
        lambda outage: outage.read("cache", (), fail_with, NAME),
        lambda outage: outage.write("cache", (), fail_with, NAME, {}),
        lambda outage: outage.write("cache", (), lambda names: fail_with(*names), (NAME, "")),
    ],
    ids=["read", "written", "several"],
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
        outage.read("cache", (), fail)
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    assert frames[-1].f_locals == {"colour": "green"}
    assert "not green" not in caplog.text


# How it is counted


@pytest.fixture
def seen() -> Iterator[Told]:
    with telling() as told:
        yield told


def test_an_outage_is_counted_with_its_length(outage, clock, seen):
    for _ in range(3):
        outage.read("cache", (), fail)
        clock.now += 10
    assert seen.counts("outages", "cache") == {"default": 1}
    assert seen.all("outage.duration") == []
    outage.read("cache", (), Server())
    assert [each.value for each in seen.all("outage.duration")] == [30]
    outage.read("cache", (), fail)
    assert seen.counts("outages") == {"": 2}


def test_an_answer_to_what_was_asked_before_the_outage_does_not_end_it(outage, clock, seen):
    def slowly() -> str:
        outage.read("cache", (), fail)  # in another thread
        return "answer"

    assert outage.read("cache", (), slowly) == "answer"
    assert outage.read("cache", (), Server()) is None
    assert seen.counts("outages") == {"": 1}
    assert seen.all("outage.duration") == []
    clock.now += 1
    assert outage.read("cache", (), Server()) == "answer"
    assert [each.value for each in seen.all("outage.duration")] == [1]


def test_a_failure_of_what_was_asked_before_the_end_is_no_other_outage(outage, clock, seen):
    def late() -> None:
        outage.read("cache", (), fail)  # in another thread
        clock.now += 1
        assert outage.read("cache", (), Server()) == "answer"
        raise TimeoutError

    outage.read("cache", (), late)
    clock.now += 1
    assert outage.read("cache", (), Server()) == "answer"
    assert seen.counts("outages") == {"": 1}
    assert [each.value for each in seen.all("outage.duration")] == [1]


def test_a_process_that_is_forked_off_in_an_outage_counts_it_once_it_meets_it(seen):
    outage = outages.of("default")
    outage.read("cache", (), fail)
    with mock.patch.object(os, "getpid"):
        child = os.fork()
        if not child:
            seen.clear()
            outage._reads._until = 0
            outage.read("cache", (), fail)
            outage._reads._until = 0
            outage.read("cache", (), Server())
            counted = len(seen.all("outages")), len(seen.all("outage.duration"))
            os._exit(0 if counted == (1, 1) else 1)
        assert os.waitpid(child, 0)[1] == 0
