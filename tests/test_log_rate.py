"""`_codec.log_rate`: what anybody can cause is logged some times a minute, and then counted."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from dj_sessions._codec.log_rate import MOST, SECONDS, LogRate
from tests.patience import PATIENCE

ANNOUNCED = f"more than {MOST} of these lines in {SECONDS} seconds; the others are counted"


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def rate(clock):
    return LogRate(clock)


def admitted(rate, number, line="a line"):
    lines = []
    for _ in range(number):
        rate.admit(lines.append, line)
    return lines


def test_the_first_lines_are_logged_and_then_that_there_are_more(rate):
    assert admitted(rate, MOST) == ["a line"] * MOST
    assert admitted(rate, 3) == [ANNOUNCED]


def test_the_first_line_after_a_minute_says_how_many_there_were(rate, clock):
    admitted(rate, MOST + 30)
    clock.now += SECONDS - 1
    assert admitted(rate, 1) == []
    clock.now += 1
    said = "31 more of these lines were left out since the one before"
    assert admitted(rate, 2, "another") == [said, "another", "another"]


def test_where_nothing_was_left_out_nothing_is_said(rate, clock):
    admitted(rate, MOST)
    clock.now += SECONDS
    assert admitted(rate, 1) == ["a line"]


def test_threads_share_the_minute(rate, clock):
    start = Barrier(8)

    def work():
        start.wait()
        return admitted(rate, 50)

    with ThreadPoolExecutor(8) as pool:
        works = [pool.submit(work) for _ in range(8)]
    lines = [line for work in works for line in work.result()]
    assert sorted(lines) == sorted(["a line"] * MOST + [ANNOUNCED])
    clock.now += SECONDS
    assert admitted(rate, 1)[0].startswith(f"{400 - MOST} more")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_process_that_is_forked_off_while_a_line_is_counted_does_not_wait_for_it(rate):
    with rate._lock:
        child = os.fork()
        if child == 0:
            signal.alarm(PATIENCE)  # which ends a child that waits
            os._exit(admitted(rate, 1) != ["a line"])
    assert os.waitpid(child, 0)[1] == 0
