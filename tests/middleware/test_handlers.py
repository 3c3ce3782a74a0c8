"""The middleware under Django's own handlers."""

import pytest
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path

from dj_sessions.backends import cache
from tests.counters import thread_hops
from tests.middleware.serving import change, stored


def leave(request):
    change(request)
    cache.SessionStore().delete(request.session.session_key)
    return HttpResponse()


async def aleave(request):
    return leave(request)


def idle(request):
    return HttpResponse()


async def aidle(request):
    return HttpResponse()


urlpatterns = [
    path("sync/leave/", leave),
    path("async/leave/", aleave),
    path("sync/idle/", idle),
    path("async/idle/", aidle),
]


@pytest.fixture
def site():
    with override_settings(
        ROOT_URLCONF=__name__, MIDDLEWARE=["dj_sessions.middleware.SessionMiddleware"]
    ):
        yield


@pytest.mark.usefixtures("site")
def test_an_interruption_is_answered_with_400(mode, caplog):
    client = mode.client()
    client.raw.cookies["sessionid"] = stored()
    assert client.get(mode.url("leave")).status_code == 400


@pytest.mark.usefixtures("site")
@pytest.mark.modes("async")
def test_a_request_that_does_not_touch_its_session_crosses_no_thread(mode):
    client = mode.client()
    client.raw.cookies["sessionid"] = stored()
    client.get(mode.url("idle"))
    with thread_hops() as hops:
        assert client.get(mode.url("idle")).status_code == 200
    without = len(hops)
    with override_settings(MIDDLEWARE=[]):
        client = mode.client()
        client.get(mode.url("idle"))
        with thread_hops() as hops:
            client.get(mode.url("idle"))
    assert without == len(hops)
