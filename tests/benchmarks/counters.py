"""What a counter costs, in microseconds, beside a storage that does nothing.

    python -m tests.benchmarks.counters

Each figure is the best of many short runs, so that other processes disturb it little. With
PROMETHEUS_MULTIPROC_DIR set, Prometheus' client writes to files, as with several processes.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from timeit import timeit
from typing import Any

import django
from django.conf import settings

CALLS, RUNS = 500, 400
RECORDERS = ("tests.benchmarks.counters.note", "prometheus", "opentelemetry")


def note(name: str, value: float, attributes: dict[str, str]) -> None:
    """A function of a site's that does nothing."""


def best(call: Callable[[], Any], after: Callable[[], Any] = lambda: None) -> float:
    """The microseconds of one call in the fastest run; `after` each run."""
    seconds = []
    for _ in range(RUNS):
        seconds.append(timeit(call, number=CALLS))
        after()
    return min(seconds) / CALLS * 1e6


def collect() -> Callable[[], Any]:
    """Set up OpenTelemetry; return what collects, as its exporters do now and then."""
    from opentelemetry import metrics
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    return reader.get_metrics_data


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    settings.configure(INSTALLED_APPS=["dj_sessions"], USE_TZ=True)
    django.setup()

    from django.test import override_settings

    from dj_sessions._session.counting import count_save
    from dj_sessions.storage import Storage
    from dj_sessions.storage.measured import MeasuredStorage

    class Nothing(Storage):
        def read(self, key: str) -> None:
            return None

    key, inner, reader = "a" * 32, Nothing(), collect()
    alone = best(lambda: inner.read(key))
    place = "in files" if os.environ.get("PROMETHEUS_MULTIPROC_DIR") else "in memory"
    print(f"Prometheus {place}. Microseconds, beside {alone:.2f} of the call alone:\n")
    for name in RECORDERS:
        with override_settings(SESSION_METRICS=name):
            storage = MeasuredStorage(inner, "db")
            operation = best(lambda: storage.read(key), reader) - alone  # noqa: B023
            save = best(lambda: count_save(inner, "changed", "x" * 300), reader)
        print(f"{name:32} an operation {operation:5.2f}, and for a save {save:5.2f} more")


if __name__ == "__main__":
    main()
