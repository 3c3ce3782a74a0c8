"""OpenTelemetry: the SDK in whichever way a site sets it up, and what is exported of it."""

from __future__ import annotations

import json
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.fresh import run
from tests.interop.browser import Browser
from tests.metrics.collector import Collector, Name, Total, collecting
from tests.metrics.notes import NOTE, noted
from tests.metrics.serving import GUNICORN, Meeting, conflict, live, served
from tests.patience import PATIENCE

WORKERS, VISITORS, CONFLICTS = 3, 8, 4
CONFIGURATION = "shop/gunicorn_conf.py"  # of the documentation
COMMAND = (*GUNICORN, "--workers", str(WORKERS), "--config", "python:shop.gunicorn_conf")

# What fresh processes begin with: the settings, a provider with readers, and what shows them
PREAMBLE = """
import json, os
from opentelemetry.metrics import set_meter_provider
from opentelemetry.sdk.metrics import Histogram, MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View

DELTA = dict.fromkeys([ObservableCounter, Histogram], AggregationTemporality.DELTA)
reader, delta = InMemoryMetricReader(), InMemoryMetricReader(preferred_temporality=DELTA)

def set_up(views=()):
    set_meter_provider(MeterProvider([reader, delta], views=views, shutdown_on_exit=False))

def save(times=1):
    from dj_sessions.backends.signed_cookies import SessionStore
    for _ in range(times):
        session = SessionStore()
        session["colour"] = "green"
        session.save()

def show(reader):
    data = reader.get_metrics_data()
    metrics = data.resource_metrics[0].scope_metrics[0].metrics if data else []
    counted = {
        each.name.removeprefix("dj_sessions."): getattr(point, "value", None) or point.count
        for each in metrics for point in each.data.data_points
        if getattr(point, "value", 1)  # of those that are there from the start
    }
    print(json.dumps(counted), flush=True)
"""


def shown(code: str) -> list[dict[str, int]]:
    """What a process shows that begins with the preamble."""
    settings: dict[str, Any] = {
        "INSTALLED_APPS": ["django.contrib.contenttypes", "django.contrib.auth", "dj_sessions"],
        "SESSION_METRICS": "opentelemetry",
    }
    return [json.loads(line) for line in run(PREAMBLE + code, setup=False, **settings).splitlines()]


# One process


def test_a_provider_counts_that_is_set_before_django_starts():
    code = "set_up()\nimport django\ndjango.setup()\nsave(3)\nshow(reader)"
    assert shown(code) == [{"saves": 3, "save.size": 3}]


def test_a_provider_that_is_set_later_has_what_was_counted_before():
    code = "import django\ndjango.setup()\nsave(3)\nset_up()\nsave()\nshow(reader)"
    assert shown(code) == [{"saves": 4, "save.size": 4}]


def test_each_of_two_readers_has_everything_whatever_its_temporality():
    code = """
import django
django.setup()
set_up()
for _ in range(2):
    save(3)
    show(reader)
    save(2)
    show(delta)
"""
    cumulative, first, later, second = shown(code)
    assert (cumulative["saves"], cumulative["save.size"]) == (3, 3)
    assert (first["saves"], first["save.size"]) == (5, 5)
    assert (later["saves"], later["save.size"]) == (8, 8)
    assert (second["saves"], second["save.size"]) == (5, 5)


def test_views_of_the_site_s_are_followed():
    code = """
import django
django.setup()
set_up([
    View(instrument_name="dj_sessions.saves", attribute_keys={"engine"}, name="saved"),
    View(
        instrument_name="dj_sessions.save.size",
        aggregation=ExplicitBucketHistogramAggregation([10, 100]),
    ),
])
from dj_sessions._metrics.instruments import SAVES
from dj_sessions._metrics.recording import record
save(3)
record(SAVES, 1, "signed_cookies", "new")
data = reader.get_metrics_data()
metrics = data.resource_metrics[0].scope_metrics[0].metrics
points = {each.name: each.data.data_points for each in metrics}
[size], saved = points["dj_sessions.save.size"], max(points["saved"], key=lambda each: each.value)
print(json.dumps([list(size.bucket_counts), saved.value, dict(saved.attributes)]))
"""
    assert shown(code) == [[[0, 3, 0], 4, {"engine": "signed_cookies"}]]


FORK = """
if not (child := os.fork()):
    {child}
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
save()
show(reader)
"""


def test_a_forked_process_with_a_provider_of_its_own_counts_from_zero():
    code = "import django\ndjango.setup()\nsave(3)"
    child = "set_up(); save(2); show(reader); show(delta)"
    *found, parent = shown(code + FORK.format(child=child).replace("save()", "set_up(); save()"))
    assert found == [{"saves": 2, "save.size": 2}] * 2
    assert parent == {"saves": 4, "save.size": 4}


def test_a_forked_process_with_its_parent_s_provider_goes_on_from_what_that_has_collected():
    """As the SDK's own instruments do: a smaller total would be a negative delta."""
    code = "import django\ndjango.setup()\nset_up()\nsave(3)\nshow(reader)\nshow(delta)\nsave()"
    child = "save(2); show(delta); show(reader)"
    *before, increase, total, parent = shown(code + FORK.format(child=child))
    assert before == [{"saves": 3, "save.size": 3}] * 2
    assert increase == {"saves": 2, "save.size": 2}
    assert total == {"saves": 5, "save.size": 5}
    assert parent == {"saves": 5, "save.size": 5}


# Several processes


@pytest.fixture
def collector():
    with collecting() as collector:
        yield collector


@pytest.fixture
def serve(site, shop, collector):
    def serve(*options: str, interval: int = 60_000) -> Any:
        return served(
            (*COMMAND, *options),
            site | {"SESSION_METRICS": ["opentelemetry", NOTE]},
            shop,
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
            OTEL_METRIC_EXPORT_INTERVAL=str(interval),
            NO_PROXY="127.0.0.1",
        )

    return serve


def counted(notes: Path) -> dict[Name, Total]:
    totals: dict[Name, Total] = {}
    for instrument, value, attributes in noted(notes):
        labels = tuple(sorted(zip(instrument.attributes, attributes, strict=True)))
        count, total = totals.get((instrument.name, labels), (0, 0))
        totals[instrument.name, labels] = count + 1, total + value
    return totals


def assert_has_all(collector: Collector, notes: Path) -> None:
    found, expected = collector.added_up(), counted(notes)
    assert found.keys() == expected.keys()
    for name, total in expected.items():
        assert found[name] == pytest.approx(total)


@pytest.mark.parametrize(
    ("options", "interval"), [((), 60_000), (("--preload",), 2_000)], ids=["", "--preload"]
)
def test_all_that_was_counted_is_exported_when_the_server_has_stopped(
    options, interval, serve, shop, pool, collector
):
    with serve(*options, interval=interval) as server:
        list(pool.map(partial(live, server), range(VISITORS)))
        for number in range(CONFLICTS):
            conflict(pool, server, number)
        visitor = Browser()
        visitor.visit(server.views, "put", {"colour": "green"})
        # One is under way when the server is told to stop.
        last = Meeting(pool, lambda port: visitor.visit(server.views, "put_later", [port, "n"]))
        server.process.send_signal(signal.SIGTERM)
        last.let_go()
        server.process.wait(PATIENCE)
    assert_has_all(collector, shop / "notes")
    assert len(collector.latest) > 1
    ended = ("dj_sessions.ended", (("engine", "db"), ("reason", "flushed")))
    assert collector.added_up()[ended] == (VISITORS, VISITORS)


def test_a_provider_that_is_set_before_the_fork_has_all_of_it_too(serve, shop, pool, collector):
    """Since its version 1.44 the SDK gives a forked process a name of its own."""
    path = shop / CONFIGURATION
    text = path.read_text()
    path.write_text(text.replace("def post_fork(server, worker)", "def on_starting(server)"))
    with serve("--preload") as server:
        list(pool.map(partial(live, server), range(VISITORS)))
        for number in range(CONFLICTS):
            conflict(pool, server, number)
    assert_has_all(collector, shop / "notes")
    assert len(collector.latest) > 1
