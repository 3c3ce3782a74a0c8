"""The examination of a store, in a thread of its own: whoever waits can stop waiting.

So a step is never cut in two, and what was stored is removed whatever ends the examination.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from threading import Event, Thread
from time import monotonic
from typing import Any, Final

from asgiref.sync import async_to_sync
from django.core.cache import caches
from django.core.checks import ERROR as SERIOUS
from django.core.checks import CheckMessage
from django.core.checks.registry import registry
from django.db import connections

from dj_sessions._health import facts
from dj_sessions._health.remedies import problem_of
from dj_sessions._health.report import Problem, Report
from dj_sessions._health.trial import LEFT, Trial, look_up
from dj_sessions._session.modes import finish, in_async, in_sync
from dj_sessions.backends.stored import StoredSession
from dj_sessions.checks import STORE_CHECKS, STORE_TAG
from dj_sessions.checks._shared import store_or_none
from dj_sessions.conf import conf, store_class
from dj_sessions.storage.measured import MeasuredStorage
from dj_sessions.storage.moving import MovingStorage

#: Seconds for which a step that was under way may finish, and be undone.
GRACE: Final = 2.0


class Stopped(Exception):
    """Nobody waits any more."""


class Examination:
    """An examination of the configured store. It begins at once, and fills ``report``."""

    def __init__(self) -> None:
        self.report = Report(conf.SESSION_ENGINE)
        self._stopped, self._over = Event(), Event()
        self._begun = monotonic()
        Thread(target=self._run, name="sessioncheck", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait; return whether it is over."""
        return self._over.wait(seconds)

    def stop(self) -> bool:
        """Have it end after the step that is under way; return whether it has removed all."""
        self._stopped.set()
        return self._over.wait(GRACE) and LEFT not in self.report.problems

    def give_up(self) -> None:
        """Stop, as it takes too long."""
        seconds = monotonic() - self._begun
        self.stop()
        if not self.report.is_complete:
            self.report.problems.append(_late(seconds))

    # In its thread

    def _run(self) -> None:
        report = self.report
        try:
            self._examine()
            report.is_complete = True
        except Stopped:  # the report has what was found until then
            pass
        except Exception as error:  # noqa: BLE001 # whatever a store raises is what is wrong
            report.problems.append(problem_of(error, store_or_none()))
        finally:
            self._over.set()
            connections.close_all()
            caches.close_all()

    def _examine(self) -> None:
        report = self.report
        report.problems += checked()
        if any(problem.is_fatal for problem in report.problems):
            return
        store = store_class()
        if issubclass(store, StoredSession):
            storage = store()._storage
            report.storage = _name_of(storage)
            facts.gather(storage, report)
        self._try_in_both(store)
        cache = getattr(store(), "_cache", None)
        facts.note_scripts(cache, report)
        if cache is not None and hasattr(store, "get_model_class"):
            facts.look_at_copies(cache, report)

    def _try_in_both(self, store: Any) -> None:
        """Try both modes; of an engine that provides only one, that one."""
        refused = []
        for name in ("sync", "async"):
            try:
                self._try_in(name, store)
            except NotImplementedError as error:
                if len(self.report.milliseconds.pop(name)) > 1:  # it has begun
                    raise
                refused.append(error)
                self.report.skipped[f"all in {name}"] = str(error)
        if len(refused) > 1:
            raise refused[0]

    def _try_in(self, name: str, store: Any) -> None:
        report = self.report
        if name == "sync":
            look = partial(_look_around, report)
            finish(Trial(store, report, name, self._go_on, look).run(in_sync))
        else:
            async_to_sync(Trial(store, report, name, self._go_on).run)(in_async)

    def _go_on(self) -> None:
        if self._stopped.is_set():
            raise Stopped


def looked_up() -> Problem | None:
    """Look for a session that nobody has; return what is wrong with the store, if anything."""
    try:
        finish(look_up(in_sync, store_class()))
    except Exception as error:  # noqa: BLE001 # whatever a store raises is what is wrong
        return problem_of(error, store_or_none())
    return None


def checked() -> Iterator[Problem]:
    """Yield what the checks of the store say, those that ask its server among them."""
    registered = registry.get_checks(include_deployment_checks=True)
    on_demand: list[Any] = [check for check in registered if STORE_TAG in check.tags]
    for check in [*STORE_CHECKS, *on_demand]:
        for message in check(None, databases=list(connections)):
            if not message.is_silenced():
                yield _problem(message)


def _problem(message: CheckMessage) -> Problem:
    code, hint = str(message.id), message.hint or ""
    return Problem(code, message.msg, hint, is_fatal=message.level >= SERIOUS)


def _look_around(report: Report, session: Any) -> None:
    """Measure what only a session that is there can show."""
    if isinstance(session, StoredSession):
        storage, key = session._storage, session.session_key or ""
        facts.measure_lag(storage, key, report)
        if report.skew is None and storage.database is None:
            facts.compare_file_clock(storage, key, report)


def _name_of(storage: Any) -> str:
    """Return which storages a session has, the one around the others first.

    A storage that only measures is left out: it keeps nothing, and is there with counters alone.
    """
    *_, last = layers = list(facts.layers_of(storage))
    kept = [each for each in layers if not isinstance(each, MeasuredStorage)]
    name = " around ".join(type(layer).__name__ for layer in kept)
    if isinstance(last, MovingStorage):
        name += f" from {_name_of(last.source)} to {_name_of(last.target)}"
    return name


def _late(seconds: float) -> Problem:
    return Problem(
        "late",
        f"The store has not done its part within {seconds:.1f} seconds.",
        "Look at its load and at the network; --timeout gives it more time.",
    )
