"""Metrics of OpenTelemetry's API, for whichever SDK and exporter a site has set up.

To record a value takes an SDK longer than to read a session out of memory. So a request leaves its
values behind, and a reader that collects, in its own thread, has them recorded first.

https://opentelemetry.io/docs/languages/python/instrumentation/#metrics
"""

from __future__ import annotations

import os
import threading
from collections import Counter, deque
from collections.abc import Iterable
from functools import cache, partial
from typing import Any, Final, TypeAlias

from opentelemetry.metrics import CallbackOptions, Meter, Observation, get_meter

import dj_sessions
from dj_sessions._metrics.expected import expected
from dj_sessions._metrics.instruments import INSTRUMENTS, Instrument

__all__ = ["OpenTelemetryRecorder", "recorder"]

Value: TypeAlias = tuple[Instrument, float, tuple[str, ...]]

#: Values that wait, at most. With more, each request records one of its own and one of before.
MOST_WAITING: Final = 50_000


class OpenTelemetryRecorder:
    """Keeps each instrument as one of ``meter``."""

    def __init__(self, meter: Meter) -> None:
        self._totals: dict[Instrument, Counter[tuple[str, ...]]] = {
            each: Counter() for each in INSTRUMENTS if not each.is_histogram
        }
        self._histograms: dict[Instrument, Any] = {}
        #: Whether an SDK knows totals of this process, or of the one that forked it off.
        self._is_collected = False
        self.begin_in_process()
        for each in INSTRUMENTS:
            if each.is_histogram:
                self._histograms[each] = meter.create_histogram(
                    each.name,
                    each.unit,
                    each.description,
                    explicit_bucket_boundaries_advisory=each.boundaries,
                )
            else:
                observe = partial(self._observe, each)
                meter.create_observable_counter(each.name, [observe], each.unit, each.description)

    def begin_in_process(self) -> None:
        """Begin without what waits to be recorded by the process that forked this one off.

        Its totals go on where an SDK knows them, as those of the SDK's own instruments do: a
        smaller one than before would be a negative increase.
        """
        self._lock = threading.Lock()
        self._waiting: deque[Value] = deque()
        if not self._is_collected:
            for each, totals in self._totals.items():
                self._totals[each] = Counter(dict.fromkeys(totals, 0))

    def expect(self, series: Iterable[tuple[Instrument, tuple[str, ...]]]) -> None:
        """Have the counters of ``series`` at 0, each with texts of its attributes."""
        for instrument, attributes in series:
            if not instrument.is_histogram:  # of these an SDK has none without a value
                self._totals[instrument].setdefault(attributes, 0)

    def __call__(self, *value: Any) -> None:
        """Take note of a value."""
        self._waiting.append(value)
        if len(self._waiting) > MOST_WAITING:
            self._record(2)

    def _observe(self, instrument: Instrument, options: CallbackOptions) -> Iterable[Observation]:
        self._record(len(self._waiting))
        self._is_collected = True
        with self._lock:
            totals = list(self._totals[instrument].items())
        for attributes, total in totals:
            yield Observation(total, _named(instrument, attributes))

    def _record(self, count: int) -> None:
        """Record ``count`` of the values that wait, if there are as many."""
        for _ in range(count):
            try:
                instrument, value, attributes = self._waiting.popleft()
            except IndexError:  # another thread has them
                return
            if instrument.is_histogram:
                self._histograms[instrument].record(value, _named(instrument, attributes))
            else:
                with self._lock:
                    self._totals[instrument][attributes] += value  # type: ignore[assignment]


def _named(instrument: Instrument, attributes: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(instrument.attributes, attributes, strict=True))


@cache
def recorder() -> OpenTelemetryRecorder:
    """Return the one of this process; a provider that the site sets later counts as well."""
    made = OpenTelemetryRecorder(get_meter("dj_sessions", dj_sessions.__version__))
    made.expect(expected())
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=made.begin_in_process)
    return made
