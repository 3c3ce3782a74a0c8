"""Clients traced by OpenTelemetry's own instrumentations, and the spans kept in memory.

    with traces.request("first"):
        SessionStore(key).load()
    assert names(traces.under("first")) == {"SELECT": 1}

The instrumentations replace methods of the clients' classes, for everybody in the process, and so
are taken away after each test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connections
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.instrumentation.pymemcache import PymemcacheInstrumentor
from opentelemetry.instrumentation.pymysql import PyMySQLInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from tests.contract.costs import PACKAGES, middleware_of, unheard

CLIENTS = (
    *(SQLite3Instrumentor, PsycopgInstrumentor, PyMySQLInstrumentor),
    *(RedisInstrumentor, PymemcacheInstrumentor),
)


class Traces:
    """The spans of one test."""

    def __init__(self) -> None:
        self.provider = TracerProvider(shutdown_on_exit=False)
        self._exporter = InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def request(self, name: str = "request") -> AbstractContextManager[Any]:
        """A span, as that of a request."""
        tracer = self.provider.get_tracer("tests")
        return tracer.start_as_current_span(name, kind=SpanKind.SERVER)

    @property
    def all(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    @property
    def clients(self) -> list[ReadableSpan]:
        """The spans of commands and statements."""
        return [span for span in self.all if span.kind is SpanKind.CLIENT]

    def under(self, request: str) -> list[ReadableSpan]:
        """Those that are children of a span of this name."""
        [parent] = [span for span in self.all if span.name == request]
        return [span for span in self.clients if span.parent == parent.context]

    @property
    def text(self) -> str:
        """All that an exporter sends."""
        return "\n".join(span.to_json() for span in self.all)

    def clear(self) -> None:
        self._exporter.clear()


def names(spans: Iterable[ReadableSpan]) -> Counter[str]:
    return Counter(span.name for span in spans)


@contextmanager
def traced(traces: Traces, *instrumentors: Any) -> Iterator[None]:
    for each in instrumentors:
        each().instrument(tracer_provider=traces.provider)
    try:
        yield
    finally:
        for each in instrumentors:
            each().uninstrument()


@pytest.fixture
def traces() -> Iterator[Traces]:
    """What clients do from here on; connections to databases are opened anew for it."""
    found = Traces()
    with traced(found, *CLIENTS):
        connections.close_all()
        yield found
        connections.close_all()


@pytest.fixture(params=PACKAGES)
def package(request: pytest.FixtureRequest, store: Any, settings: Any) -> Iterator[str]:
    """The package whose engine and middleware are in the settings, to compare the two."""
    settings.SESSION_ENGINE = f"{request.param}.backends.{store.kind}"
    settings.MIDDLEWARE = middleware_of(request.param)
    with unheard(request.param):
        yield request.param


def store_class() -> Any:
    """The class of the engine in the settings."""
    return import_module(django_settings.SESSION_ENGINE).SessionStore
