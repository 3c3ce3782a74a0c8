"""What the page `watching` shows of traces: the spans that its example prints."""

import json

import pytest
from django.conf import settings

from tests import services
from tests.docs.pages import docs, example_site
from tests.fresh import run
from tests.redis_servers import PATIENT

VISIT = """
    from django.http import HttpResponse
    from django.test import Client
    from django.urls import path
    from opentelemetry import trace
    from shop import traces

    def visit(request):
        request.session["visits"] = 1
        return HttpResponse()

    urlpatterns = [path("visit/", visit)]
    settings.ROOT_URLCONF = type("urls", (), {"urlpatterns": urlpatterns})
    traces.start()
    Client().get("/visit/")
    trace.get_tracer_provider().force_flush()
"""


def test_a_site_that_starts_its_traces_has_the_spans_of_its_sessions(tmp_path, cache_prefixes):
    if not services.run().services["redis"]:
        pytest.skip(str(services.run().services["redis"]))
    where = {"URL": settings.CACHES["redis"]["LOCATION"], "PREFIX": next(cache_prefixes)}
    where["OPTIONS"] = PATIENT
    with example_site(tmp_path) as write:
        write(docs("watching"))
        printed = run(
            VISIT,
            path=tmp_path,
            INSTALLED_APPS=["dj_sessions"],
            SESSION_ENGINE="dj_sessions.backends.redis",
            SESSION_REDIS=where,
        )
    save, request = json.loads("[" + printed.strip().replace("\n}\n{", "\n},{") + "]")
    assert (save["name"], request["name"]) == ("SET", "GET visit/")
    assert save["parent_id"] == request["context"]["span_id"]
