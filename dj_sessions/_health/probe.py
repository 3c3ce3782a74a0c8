"""What a load balancer is told: seldom enough that whoever asks cannot wear out the store."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Any, Final, NamedTuple

from dj_sessions._health.examination import Examination, looked_up
from dj_sessions._health.report import Problem

logger = logging.getLogger("django.contrib.sessions")

#: Seconds for which an answer is given again.
FRESH: Final = 1.0
#: Seconds for which the last answer serves while somebody finds out a new one.
STALE: Final = 10.0
#: Seconds that the whole check may take.
LIMIT: Final = 10.0


class Answer(NamedTuple):
    """Whether the store works, and what may be told of it to anybody: codes and times."""

    works: bool
    data: dict[str, Any]
    at: float


class Probe:
    """Finds out once for all who ask within a second, in this process."""

    def __init__(self, find: Callable[[], Answer]) -> None:
        self._find = find
        self._lock = Lock()
        self._last: Answer | None = None

    def answer(self) -> Answer:
        """Return the answer of a moment ago, or a new one."""
        last = self._last
        if last is not None and monotonic() - last.at < FRESH:
            return last
        # One finds out. Others are not kept waiting for a store that may not answer.
        if not self._lock.acquire(blocking=last is None, timeout=LIMIT if last is None else -1):
            return self._meanwhile(last)
        try:
            if self._last is last or self._last is None:
                self._last = self._find()
            return self._last
        finally:
            self._lock.release()

    def _meanwhile(self, last: Answer | None) -> Answer:
        if last is not None and monotonic() - last.at < STALE:
            return last
        return Answer(False, {"milliseconds": None, "problems": ["late"]}, monotonic())

    def forget(self) -> None:
        """Find out anew for whoever asks next."""
        self._last = None


def _look_up() -> Answer:
    begun = monotonic()
    problem = looked_up()
    data = {"milliseconds": _milliseconds(begun), "problems": [problem.code] if problem else []}
    return _noted(Answer(problem is None, data, monotonic()), [problem] if problem else [])


def _examine() -> Answer:
    begun, examination = monotonic(), Examination()
    if not examination.wait(LIMIT):
        examination.give_up()
    report = examination.report
    data = {
        "milliseconds": _milliseconds(begun),
        "steps": report.milliseconds,
        "problems": [problem.code for problem in report.problems],
    }
    return _noted(Answer(report.works, data, monotonic()), report.problems)


def _noted(answer: Answer, problems: list[Problem]) -> Answer:
    if not answer.works:
        for problem in problems:
            logger.error("Sessions cannot be kept: %s %s", problem.what, problem.remedy)
    return answer


def _milliseconds(begun: float) -> float:
    return round((monotonic() - begun) * 1000, 3)


#: The look-up, which writes nothing, and the whole check.
look_up: Final = Probe(_look_up)
examine: Final = Probe(_examine)
