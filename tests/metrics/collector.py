"""What receives the metrics of OpenTelemetry's exporter, over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

#: How many values were recorded, and their sum.
Total = tuple[int, float]
Name = tuple[str, tuple[tuple[str, str], ...]]


class Collector:
    """The latest that each process has said: a stream is told by its ``service.instance.id``."""

    def __init__(self) -> None:
        self.latest: dict[str, dict[Name, Total]] = {}
        self.exports = 0
        self.endpoint = ""

    def receive(self, body: bytes) -> None:
        self.exports += 1
        for sent in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            process = _texts(sent.resource)["service.instance.id"]
            seen = self.latest.setdefault(process, {})
            metrics = (each for scope in sent.scope_metrics for each in scope.metrics)
            for metric in metrics:
                for point in (*metric.sum.data_points, *metric.histogram.data_points):
                    seen[metric.name, tuple(sorted(_texts(point).items()))] = _total(point)

    def added_up(self) -> dict[Name, Total]:
        """What was counted, without those that are there from the start and have stayed at 0."""
        totals: dict[Name, Total] = {}
        for process in self.latest.values():
            for name, (count, total) in process.items():
                before = totals.get(name, (0, 0))
                totals[name] = before[0] + count, before[1] + total
        return {name: total for name, total in totals.items() if total[0]}


def _texts(owner: Any) -> dict[str, str]:
    return {each.key: each.value.string_value for each in owner.attributes}


def _total(point: Any) -> Total:
    if hasattr(point, "bucket_counts"):
        return point.count, point.sum
    value = point.as_int or point.as_double
    return int(value), value


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.receive(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        collector.endpoint = f"http://127.0.0.1:{server.server_port}"
        yield collector
        server.shutdown()
