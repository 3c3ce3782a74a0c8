"""Requests to a view that does one thing after another with its session.

    response = visit(mode, lambda session: session.get("colour"), cookie=key)
    assert response.seen == ["green"]

Each step gets the session and uses sync names; in async mode each call reaches the async twin, is
awaited in the event loop, and `session.raw` is the session itself. `visit` goes through the whole
handler and the middleware of the settings, `pass_through` through one middleware object alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import isawaitable
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import (
    AsyncClient,
    AsyncRequestFactory,
    Client,
    RequestFactory,
    override_settings,
)
from django.urls import path

from tests.modes import Adapted, Mode

Step = Callable[[Any], Any]


def _twin(session: Any, name: str) -> Any:
    if isinstance(getattr(type(session), name, None), property):
        return getattr(session, name)
    return getattr(session, f"a{name}", None) or getattr(session, name)


def _sync_name(session: Any, name: str) -> Any:
    return session.__setitem__ if name == "set" else getattr(session, name)


def make_view(
    mode: Mode, steps: Sequence[Step], *, status: int = 200, answer: dict[str, str] | None = None
) -> Callable[..., Any]:
    """Return a view of this mode that takes the steps and tells what they returned as `seen`.

    `answer` holds headers that the view itself sets.
    """

    def respond(seen: list[Any]) -> HttpResponse:
        response = HttpResponse(repr(seen), status=status, headers=answer)
        response.seen = seen
        return response

    def view(request: HttpRequest) -> HttpResponse:
        session = Adapted(request.session, _sync_name)
        return respond([step(session) for step in steps])

    async def aview(request: HttpRequest) -> HttpResponse:
        session, seen = Adapted(request.session, _twin), []
        for step in steps:
            result = step(session)
            seen.append(await result if isawaitable(result) else result)
        return respond(seen)

    return aview if mode.is_async else view


class _Client(Client):
    """Sends the Cookie header that it is given, whatever is in it."""

    cookie_header = ""

    def _base_environ(self, **request: Any) -> dict[str, Any]:
        return {**super()._base_environ(**request), "HTTP_COOKIE": self.cookie_header}


class _AsyncClient(AsyncClient):
    """The same, where headers are pairs of bytes."""

    cookie_header = ""

    def _base_scope(self, **request: Any) -> dict[str, Any]:
        scope = super()._base_scope(**request)
        others = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
        return {**scope, "headers": [*others, (b"cookie", self.cookie_header.encode("latin1"))]}


def visit(
    mode: Mode,
    *steps: Step,
    cookie: str | None = None,
    cookie_header: str = "",
    headers: dict[str, str] | None = None,
    query: str = "",
    raises: bool = True,
    **view: Any,
) -> Any:
    """Send a request with the session key `cookie`, or that very Cookie header.

    With `raises=False` an error of the site is a response of 500, as a browser would see it.
    """
    client = (_AsyncClient if mode.is_async else _Client)(raise_request_exception=raises)
    client.cookie_header = cookie_header
    if cookie is not None:
        client.cookie_header = f"{settings.SESSION_COOKIE_NAME}={cookie}"
    with override_settings(ROOT_URLCONF=(path("", make_view(mode, steps, **view)),)):
        get = async_to_sync(client.get) if mode.is_async else client.get
        return get(f"/?{query}", headers=headers)


def pass_through(
    middleware_class: type, mode: Mode, *steps: Step, cookie: str | None = None, **view: Any
) -> HttpResponse:
    """Answer a request through `middleware_class` and nothing else."""
    middleware = middleware_class(make_view(mode, steps, **view))
    request = (AsyncRequestFactory if mode.is_async else RequestFactory)().get("/")
    if cookie is not None:
        request.COOKIES[settings.SESSION_COOKIE_NAME] = cookie
    return async_to_sync(middleware)(request) if mode.is_async else middleware(request)


def session_cookie(response: Any) -> Any:
    """Return the Set-Cookie of the session, or None."""
    return response.cookies.get(settings.SESSION_COOKIE_NAME)


def varies_on_cookie(response: Any) -> bool:
    """Tell whether caches keep the response from visitors with another cookie; "*" does."""
    names = [name.strip().lower() for name in response.get("Vary", "").split(",")]
    return "cookie" in names or "*" in names
