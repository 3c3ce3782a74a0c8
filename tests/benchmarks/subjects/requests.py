"""What sessions add to a request: its time with the session middleware minus without.

Whole requests go through Django's WSGI or ASGI handler, in process, each with the cookie of a
stored session.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextvars import copy_context
from functools import cache
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.http import HttpRequest
from django.test import override_settings
from django.utils.module_loading import import_string

from tests.benchmarks import urls
from tests.benchmarks.sampling import Added, Calls
from tests.benchmarks.subjects import closers
from tests.benchmarks.subjects.stores import stored_session

#: Requests of one timed call under ASGI: one after the other, or all at once.
IN_SEQUENCE = 2
IN_FLIGHT = 32
WITHOUT_HANDLER = 100


def subject(name: str) -> Added:
    """The subject `<WSGI, ASGI, ASGI×32 or ASGI-middleware> <untouched, read or write>`."""
    way, view = name.split(" ")
    make = WAYS[way]
    with override_settings(MIDDLEWARE=[]):
        less = make("untouched", "")
    return Added(make(view, cookie()), less)


def cookie() -> str:
    session = stored_session()
    session.save()  # signed_cookies makes its key, the data, here
    return f"sessionid={session.session_key}"


def _wsgi(view: str, cookie: str) -> Calls:
    handler = WSGIHandler()
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": f"/{view}",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "HTTP_COOKIE": cookie,
        "wsgi.input": io.BytesIO(),
        "wsgi.url_scheme": "http",
    }

    def request(_: object) -> None:
        response: Any = handler(dict(environ), _start_response)
        b"".join(response)
        response.close()

    return Calls(request)


def _start_response(status: str, headers: Iterable[tuple[str, str]], *error: object) -> None:
    if not status.startswith("200"):
        raise AssertionError(status)


def _one_by_one(view: str, cookie: str) -> Calls:
    request = _asgi(view, cookie)

    async def requests() -> None:
        for _ in range(IN_SEQUENCE):
            await request()

    return Calls(lambda _: _loop().run(requests()), of=IN_SEQUENCE)


def _in_flight(view: str, cookie: str) -> Calls:
    request = _asgi(view, cookie)

    async def requests() -> None:
        await asyncio.gather(*(request() for _ in range(IN_FLIGHT)))

    return Calls(lambda _: _loop().run(requests()), of=IN_FLIGHT)


def _middleware(view: str, cookie: str) -> Calls:
    """The middleware around its view, without a handler, whose time hides what it adds."""
    respond: Callable[[Any], Awaitable[Any]] = getattr(urls, f"a{view}")
    for name in settings.MIDDLEWARE:
        respond = import_string(name)(respond)
    asked = HttpRequest()
    asked.COOKIES["sessionid"] = cookie.partition("=")[2]

    async def requests() -> None:
        for _ in range(WITHOUT_HANDLER):
            await respond(asked)

    return Calls(lambda _: _loop().run(requests()), of=WITHOUT_HANDLER)


def _asgi(view: str, cookie: str) -> Callable[[], Awaitable[None]]:
    handler = ASGIHandler()
    scope = {
        "type": "http",
        "method": "GET",
        "path": f"/a{view}",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), (b"cookie", cookie.encode())],
    }

    async def request() -> None:
        sent = False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent:
                await asyncio.Event().wait()  # the client stays connected
            sent = True
            return {"type": "http.request", "body": b"", "more_body": False}

        await handler(dict(scope), receive, _send)

    return request


async def _send(message: dict[str, Any]) -> None:
    if message.get("status", 200) != 200:
        raise AssertionError(message)


class _Loop:
    """One event loop for all, where requests share one thread for what blocks.

    Under a server each request has a thread, and so a database connection, of its own. Here
    the connection stays warm, as with a pool.
    """

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.context = copy_context()
        self.run(ThreadSensitiveContext().__aenter__())
        closers.append(self.close)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.loop.run_until_complete(self.loop.create_task(coroutine, context=self.context))

    def close(self) -> None:
        self.run(sync_to_async(connections.close_all)())
        self.loop.close()


@cache
def _loop() -> _Loop:
    return _Loop()


WAYS = {
    "WSGI": _wsgi,
    "ASGI": _one_by_one,
    "ASGI×32": _in_flight,
    "ASGI-middleware": _middleware,
}
