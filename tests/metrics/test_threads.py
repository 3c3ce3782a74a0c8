"""Many threads: no count is lost, and nobody waits for a reader that collects."""

from __future__ import annotations

import itertools
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    InMemoryMetricReader,
    MetricExporter,
    MetricExportResult,
    PeriodicExportingMetricReader,
)
from prometheus_client import CollectorRegistry, generate_latest

from dj_sessions._metrics import opentelemetry, recording, switch
from dj_sessions._metrics.instruments import SAVE_SIZE, SAVES, STORAGE_DURATION
from dj_sessions._metrics.opentelemetry import OpenTelemetryRecorder
from dj_sessions._metrics.prometheus import PrometheusRecorder
from dj_sessions.backends.cache import SessionStore
from tests.metrics.notes import samples
from tests.metrics.told import telling
from tests.patience import PATIENCE

THREADS, TIMES = 16, 300
#: Seconds after which somebody waits for somebody who waits for them.


@pytest.fixture(autouse=True)
def threads_take_turns_as_often_as_they_can() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@contextmanager
def running(*calls: Callable[[], Any]) -> Iterator[None]:
    """Have each call made in a thread of its own until all have returned; none may raise."""
    errors: list[BaseException] = []

    def run(call: Callable[[], Any]) -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=[call], daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads), "they wait for each other"
    assert errors == []


def recording_with(recorder: Any) -> Callable[[], None]:
    def record() -> None:
        for _ in range(TIMES):
            recorder(SAVES, 1, ("db", "new"))
            recorder(SAVE_SIZE, 100, ("db",))
            recorder(STORAGE_DURATION, 0.25, ("db", "read"))
            recorder(SAVES, 1, ("db", "changed"))

    return record


def test_prometheus_loses_no_count() -> None:
    registry = CollectorRegistry()
    with running(*[recording_with(PrometheusRecorder(registry))] * THREADS):
        generate_latest(registry)
    found = samples(generate_latest(registry).decode())
    db, every = ("engine", "db"), THREADS * TIMES
    assert found["dj_sessions_saves_total", (db, ("kind", "new"))] == every
    assert found["dj_sessions_saves_total", (db, ("kind", "changed"))] == every
    assert found["dj_sessions_save_size_bytes_sum", (db,)] == 100 * every
    assert found["dj_sessions_storage_duration_seconds_count", (db, ("operation", "read"))] == every


def counts_in(reader: InMemoryMetricReader) -> dict[tuple[str, ...], int]:
    data = reader.get_metrics_data()
    metrics = data.resource_metrics[0].scope_metrics[0].metrics if data else []
    return {
        (each.name, *map(str, point.attributes.values())): (
            point.count if hasattr(point, "count") else point.value
        )
        for each in metrics
        for point in each.data.data_points
    }


#: 0: each request records its own. 50: some wait. 10**6: all wait for a reader.
@pytest.mark.parametrize("most", [0, 50, 10**6])
def test_opentelemetry_loses_no_count_while_two_readers_collect(most, monkeypatch):
    monkeypatch.setattr(opentelemetry, "MOST_WAITING", most)
    readers = InMemoryMetricReader(), InMemoryMetricReader()
    provider = MeterProvider(readers, shutdown_on_exit=False)
    recorder = OpenTelemetryRecorder(provider.get_meter("dj_sessions"))
    is_over = threading.Event()

    def collecting(reader: InMemoryMetricReader) -> Callable[[], None]:
        def collect() -> None:
            last = dict[tuple[str, ...], int]()
            while not is_over.is_set():
                found = counts_in(reader)
                assert all(found[name] >= count for name, count in last.items())
                last = found

        return collect

    with running(*map(collecting, readers)):
        with running(*[recording_with(recorder)] * THREADS):
            pass
        is_over.set()
    every = THREADS * TIMES
    for reader in readers:
        assert counts_in(reader) == {
            ("dj_sessions.saves", "db", "new"): every,
            ("dj_sessions.saves", "db", "changed"): every,
            ("dj_sessions.save.size", "db"): every,
            ("dj_sessions.storage.duration", "db", "read"): every,
        }
    provider.shutdown()


class Exporter(MetricExporter):
    """Keeps what it is given last, and waits for nothing."""

    latest: Any = None
    exports = 0

    def export(self, metrics_data: Any, timeout_millis: float = 0, **kwargs: Any) -> Any:
        self.latest, self.exports = metrics_data, self.exports + 1
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 0) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 0, **kwargs: Any) -> None:
        pass


@pytest.mark.parametrize("most", [0, 50])
def test_requests_go_on_while_the_sdk_shuts_down_and_after_that(most, monkeypatch, caplog):
    monkeypatch.setattr(opentelemetry, "MOST_WAITING", most)
    exporter = Exporter()
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=60_000)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    recorder = OpenTelemetryRecorder(provider.get_meter("dj_sessions"))
    is_shut, counts = threading.Event(), itertools.count()

    def request() -> None:
        times_after = 100
        while times_after:
            next(counts)
            recorder(SAVES, 1, ("db", "new"))
            recorder(SAVE_SIZE, 100, ("db",))
            times_after -= is_shut.is_set()

    for _ in range(10):
        recorder(SAVES, 1, ("db", "new"))
    with running(*[request] * 4):
        provider.shutdown()
        is_shut.set()
    assert exporter.exports == 1
    metrics = exporter.latest.resource_metrics[0].scope_metrics[0].metrics
    [saves] = [each for each in metrics if each.name == "dj_sessions.saves"]
    assert 10 <= saves.data.data_points[0].value <= 10 + next(counts)
    assert len(recorder._waiting) <= most + THREADS
    assert [each for each in caplog.records if each.levelno > logging.WARNING] == []


def test_counters_are_turned_on_and_off_while_requests_are_under_way(fresh_caches, caplog):
    is_over = threading.Event()

    def request() -> None:
        while not is_over.is_set():
            session = SessionStore()
            session["colour"] = "green"
            session.save()
            again = SessionStore(session.session_key)
            assert again["colour"] == "green"
            again["colour"] = "red"
            again.save()
            again.flush()

    with telling("prometheus", "opentelemetry") as seen:
        with running(*[request] * 8):
            for _ in range(200):
                switch.turn_off()  # Django's override_settings() itself is nothing for threads
                assert recording.recorders == []
                switch.turn_on()
                assert len(recording.recorders) == 3
            is_over.set()
        assert caplog.records == []
        seen.clear()
        SessionStore().save()
        assert seen.counts("saves", "kind") == {"new": 1}
