"""What the admin shows: the figures of a sample, counted once a minute in each process."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from threading import Event, Lock, Thread
from typing import Any, Final, NamedTuple

from django.contrib.auth import get_permission_codename
from django.core.cache import caches
from django.db import connections
from django.utils import timezone

from dj_sessions._statistics.summary import Summary
from dj_sessions._statistics.survey import Survey
from dj_sessions.conf import conf, store_class

logger = logging.getLogger("django.contrib.sessions")

#: Sessions that are read. Of more, the figures are estimates.
SAMPLE: Final = 1000
#: Seconds for which an outcome is shown; if counting took long, so many times as long.
FRESH: Final = 60.0
FRESH_TIMES: Final = 10
#: Seconds that a page waits for an outcome.
PATIENCE: Final = 3.0
#: Seconds after which a count is given up, and the longest for which an outcome is shown.
LONGEST: Final = 600.0


class Outcome(NamedTuple):
    """What a count has come to: the figures, or why there are none.

    ``at`` is when it began, ``began`` and ``stale`` are seconds of the clock.
    """

    engine: str
    at: datetime
    began: float
    stale: float
    summary: Summary | None = None
    is_unlistable: bool = False

    def is_fresh(self) -> bool:
        """Return whether it need not be found out anew."""
        return self.began <= time.time() < self.stale  # the clock may have been put back


class Run:
    """A count that is under way."""

    def __init__(self) -> None:
        self.at, self.began = timezone.now(), time.time()
        self.over = Event()

    def outcome(self, summary: Summary | None = None, *, is_unlistable: bool = False) -> Outcome:
        """Return what it has come to."""
        now = time.time()
        stale = now + max(FRESH, min(FRESH_TIMES * (now - self.began), LONGEST))
        return Outcome(conf.SESSION_ENGINE, self.at, self.began, stale, summary, is_unlistable)


class Panel:
    """Has one thread count for all who look, in this process.

    A thread of its own, as whoever waits can stop waiting, and as an error of a database leaves no
    transaction of the page broken.
    """

    def __init__(self, count: Callable[[], Summary]) -> None:
        self._count = count
        self._lock = Lock()
        self._last: Outcome | None = None
        self._run: Run | None = None

    def latest(self) -> Outcome | None:
        """Return the last outcome, after a new count if it is old; None: still counting.

        Waits for a count that it has begun itself, and for the first one.
        """
        with self._lock:
            self._give_up_if_late()
            begins = self._run is None and not (self._last and self._last.is_fresh())
            if begins:
                self._begin()
            run, last = self._run, self._last
        if run is not None and (begins or last is None):
            run.over.wait(PATIENCE)
        return self._last

    def forget(self) -> None:
        """Count anew for whoever looks next."""
        with self._lock:
            self._last = self._run = None

    def _begin(self) -> None:
        run = Run()
        Thread(target=self._work, args=[run], name="sessions of the admin", daemon=True).start()
        self._run = run

    def _give_up_if_late(self) -> None:
        run = self._run
        if run is not None and time.time() - run.began > LONGEST:
            logger.error("Sessions cannot be counted: that takes longer than %d seconds", LONGEST)
            self._last, self._run = run.outcome(), None

    # In its thread

    def _work(self, run: Run) -> None:
        outcome = self._outcome_of(run)
        with self._lock:
            if self._run is run:  # nobody has given it up
                self._last, self._run = outcome, None
        run.over.set()

    def _outcome_of(self, run: Run) -> Outcome:
        try:
            return run.outcome(self._count())
        except NotImplementedError:
            return run.outcome(is_unlistable=True)
        except Exception:  # of whichever store: the page of the admin goes on without figures
            logger.exception("Sessions cannot be counted")
            return run.outcome()


def _count() -> Summary:
    try:
        survey = Survey(SAMPLE)
        survey.read()
        return survey.summary(top=0)
    finally:
        connections.close_all()
        caches.close_all()


#: What the pages of this process show.
panel: Final = Panel(_count)


def may_be_seen_by(user: Any) -> bool:
    """Return whether a user may view sessions: rows of the engine's model, or of ``Session``."""
    if user is None:
        return False
    get_model = getattr(store_class(), "get_model_class", None)
    if get_model is None:
        return bool(user.has_perm("sessions.view_session"))
    meta = get_model()._meta
    return bool(user.has_perm(f"{meta.app_label}.{get_permission_codename('view', meta)}"))
