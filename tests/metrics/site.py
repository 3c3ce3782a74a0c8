"""The views of that site: those of the rolling deploy, and some that wait for each other.

Whoever waits connects to a port of the test, says which process it is in, and goes on when the test
hangs up.
"""

import os
import socket
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.interop import site


def wait(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as test:
        test.sendall(f"{os.getpid()}\n".encode())
        test.recv(1)


async def put_later(request: HttpRequest, mode: Any, sent: Any) -> Any:
    """Load the session, wait, and then change it."""
    port, name = sent
    await mode.call(request.session, "get", name)
    await mode.aside(partial(wait, port))
    await mode.call(request.session, "update", {name: 1})


def scrape(request: HttpRequest) -> HttpResponse:
    """What the site's own view shows, if need be in a process where others wait as well."""
    from shop.views import metrics  # of the documentation

    if "port" in request.GET:
        wait(int(request.GET["port"]))
    response = metrics(request)
    response["X-Process"] = str(os.getpid())
    return response


urlpatterns = [
    *site.urlpatterns,
    path("sync/put_later", partial(site.synchronous, put_later)),
    path("async/put_later", partial(site.asynchronous, put_later)),
    path("metrics", scrape),
]
