"""Each command is a span of its request, as with Django's engine of the same name."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextvars import Context

import pytest
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth import get_user_model
from django.core.handlers.asgi import ASGIHandler
from django.db import connections, transaction
from django.http import HttpResponse
from django.urls import path
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor

from tests import router
from tests.contract.costs import prepare, saved
from tests.contract.visits import make_view
from tests.counters import round_trips, statements
from tests.patience import PATIENCE
from tests.traces.conftest import Traces, names, store_class, traced
from tests.user_sessions.rows import login_of

#: Nobody traces a cache in local memory.
TRACED = pytest.mark.stores(cache=(None, "redis", "django_redis", "memcached"))
OF_BOTH = pytest.mark.stores("db", "cache", "cached_db")

DEEDS = ("create", "save after load", "cycle_key", "flush")
STEPS = {
    "write": [lambda session: session.set("size", 3)],
    "end": [lambda session: session.flush()],
}
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


# Each command


def check_deed(mode, traces, deed):
    """Do it, and compare the spans with what was sent."""
    do = prepare(mode, store_class(), deed)
    traces.clear()
    with traces.request(), round_trips() as trips, statements() as sent:
        do()
    asked = Counter(sql.split()[0] for sql in sent)
    if "BEGIN" not in names(traces.clients):
        del asked["BEGIN"]  # which most drivers send by themselves
    del asked["COMMIT"]
    assert traces.under("request") == traces.clients
    assert len(traces.clients) == len(trips) + asked.total()
    assert names(traces.clients) >= asked


@TRACED
@OF_BOTH
@pytest.mark.parametrize("deed", DEEDS)
def test_each_command_is_a_span_of_its_request(store, mode, traces, package, deed):
    check_deed(mode, traces, deed)


@pytest.mark.stores("redis")
@pytest.mark.parametrize("deed", DEEDS)
def test_each_command_to_redis_itself_is_one(store, mode, traces, deed):
    check_deed(mode, traces, deed)


@pytest.mark.stores("redis")
def test_a_client_can_be_traced_that_is_in_use_already(store, mode):
    traces, key = Traces(), saved(mode, store.SessionStore)
    with traced(traces, RedisInstrumentor):
        mode.wrap(store.SessionStore(key)).load()
    assert names(traces.all) == {"GET": 1}


@pytest.mark.stores("redis")
@pytest.mark.usefixtures("databases", "listed")
def test_what_is_listed_in_a_thread_of_its_own_is_part_of_the_request(store, mode, traces):
    if "postgres" not in connections:
        pytest.skip("there is no postgres here")
    with router.use("postgres"), traces.request(), transaction.atomic("postgres"):
        session = mode.wrap(store.SessionStore())
        session.update(login_of(get_user_model().objects.create_user("eve")))
        session.save()
    assert names(traces.clients)["INSERT"] == 2  # the user, and the session in the list
    assert traces.under("request") == traces.clients


# A whole site


def check_request(mode, traces, settings, name):
    """Send a request that belongs to a trace, and see that all is part of that."""
    client = mode.client()
    client.raw.cookies[settings.SESSION_COOKIE_NAME] = saved(mode, store_class())
    settings.ROOT_URLCONF = (path("visit/", make_view(mode, STEPS[name])),)
    traces.clear()
    with traced(traces, DjangoInstrumentor):
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        assert client.get("/visit/", headers=headers).status_code == 200
    assert traces.clients
    assert traces.under("GET visit/") == traces.clients
    assert {f"{span.context.trace_id:032x}" for span in traces.all} == {TRACE}


@TRACED
@OF_BOTH
@pytest.mark.parametrize("name", STEPS)
def test_a_request_goes_on_with_its_trace(store, mode, traces, package, settings, name):
    check_request(mode, traces, settings, name)


@pytest.mark.stores("redis")
@pytest.mark.parametrize("name", STEPS)
def test_so_does_one_to_redis_itself(store, mode, traces, settings, name):
    check_request(mode, traces, settings, name)


@pytest.mark.stores("db", "cache", "redis", cache=(None, "redis"))
def test_what_a_view_does_is_of_its_own_span_and_what_the_middleware_does_is_not(
    store, mode, traces, settings
):
    def view(request):
        with traces.request("view"):
            request.session["size"] = request.session.get("size", 0) + 1
        return HttpResponse()

    async def aview(request):
        with traces.request("view"):
            await request.session.aset("size", await request.session.aget("size", 0) + 1)
        return HttpResponse()

    client = mode.client()
    client.raw.cookies[settings.SESSION_COOKIE_NAME] = saved(mode, store.SessionStore)
    settings.ROOT_URLCONF = (path("visit/", aview if mode.is_async else view),)
    traces.clear()
    with traced(traces, DjangoInstrumentor):
        client.get("/visit/")
    load, save = traces.under("view"), traces.under("GET visit/")
    assert [len(load), len(save)] == [1, 1]


# Many requests in one event loop


def scope_of(number, key):
    """A request by ASGI, which belongs to the trace of this number."""
    traceparent = f"00-{number:032x}-{PARENT}-01"
    return {
        "type": "http",
        "method": "GET",
        "path": "/visit/",
        "query_string": b"",
        "headers": [
            (b"host", b"testserver"),
            (b"cookie", f"sessionid={key}".encode()),
            (b"traceparent", traceparent.encode()),
        ],
    }


async def answer(application, scope):
    communicator = ApplicationCommunicator(application, scope)
    await communicator.send_input({"type": "http.request", "body": b""})
    start = await communicator.receive_output(PATIENCE)
    await communicator.receive_output(PATIENCE)
    await communicator.wait(PATIENCE)
    assert start["status"] == 200


def check_requests(mode, traces, settings):
    """Send many at one time, and see that each has all the spans that one alone has."""
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "sessions" in name]
    settings.ROOT_URLCONF = (path("visit/", make_view(mode, STEPS["write"])),)
    keys = {number: saved(mode, store_class()) for number in range(1, 9)}
    application = OpenTelemetryMiddleware(ASGIHandler(), tracer_provider=traces.provider)

    def visit(keys):
        async def all_at_once():
            await asyncio.gather(*(answer(application, scope_of(*item)) for item in keys.items()))

        traces.clear()
        Context().run(asyncio.run, all_at_once())  # no request has the caches of another
        return Counter(span.context.trace_id for span in traces.clients)

    [of_one_alone] = visit({1: keys[1]}).values()
    assert visit(keys) == dict.fromkeys(keys, of_one_alone)


# Without Memcached, whose connections Django leaves to the garbage collector under ASGI.
@OF_BOTH
@pytest.mark.modes("async")
@pytest.mark.stores(cache=(None, "redis", "django_redis"))
def test_each_of_many_requests_has_spans_of_its_own(store, mode, traces, package, settings):
    check_requests(mode, traces, settings)


@pytest.mark.modes("async")
@pytest.mark.stores("redis")
def test_each_of_many_requests_to_redis_itself_has_them(store, mode, traces, settings):
    check_requests(mode, traces, settings)
