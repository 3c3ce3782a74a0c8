"""Metrics of ``prometheus_client``, in its default registry, which a site serves already.

With several processes the client writes them to files in ``PROMETHEUS_MULTIPROC_DIR``.

https://prometheus.github.io/client_python/multiprocess/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram

from dj_sessions._metrics.expected import expected
from dj_sessions._metrics.instruments import INSTRUMENTS, Instrument

__all__ = ["PrometheusRecorder", "recorder"]

#: What the client's exporters make of OpenTelemetry's units; what is counted is in the name.
_UNITS = {"s": "_seconds", "By": "_bytes"}


class PrometheusRecorder:
    """Keeps each instrument as a metric of ``registry``."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._metrics = {each: _metric(each) for each in INSTRUMENTS}
        for metric in self._metrics.values():  # once all of them have their files
            registry.register(metric)
        #: To look a child up by its labels takes longer than to count.
        self._known: dict[tuple[Instrument, tuple[str, ...]], Callable[[float], None]] = {}

    def __call__(self, instrument: Instrument, value: float, attributes: tuple[str, ...]) -> None:
        """Record ``value``."""
        try:
            tell = self._known[instrument, attributes]
        except KeyError:
            tell = self._known[instrument, attributes] = self._child(instrument, attributes)
        tell(value)

    def expect(self, series: Iterable[tuple[Instrument, tuple[str, ...]]]) -> None:
        """Have ``series`` at 0: instruments, each with texts of its attributes."""
        for instrument, attributes in series:
            self._child(instrument, attributes)

    def _child(self, instrument: Instrument, attributes: tuple[str, ...]) -> Any:
        metric = self._metrics[instrument]
        child: Any = metric.labels(*attributes) if attributes else metric
        return child.observe if instrument.is_histogram else child.inc


@cache
def recorder() -> PrometheusRecorder:
    """Return the one of this process: a registry takes each name once."""
    made = PrometheusRecorder()
    made.expect(expected())
    return made


def name_of(instrument: Instrument) -> str:
    """Return the name of a metric, to which a counter adds ``_total``."""
    return instrument.name.replace(".", "_") + _UNITS.get(instrument.unit, "")


def labels_of(instrument: Instrument) -> tuple[str, ...]:
    """Return the names of the labels."""
    return tuple(each.replace(".", "_") for each in instrument.attributes)


def _metric(instrument: Instrument) -> Counter | Histogram:
    said = name_of(instrument), instrument.description, labels_of(instrument)
    if instrument.is_histogram:
        return Histogram(*said, registry=None, buckets=instrument.boundaries)
    return Counter(*said, registry=None)
