"""Run a program of requests through Django's request cycle and write down what a browser sees."""

from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path

from tests.differential.clock import clock
from tests.differential.operations import Operations
from tests.differential.records import records
from tests.interop.modes import Async, Sync
from tests.interop.wire import Packed

CLIENTS = {Sync: Client, Async: AsyncClient}


class Site(Operations):
    """A site with one view, which does to the session what the request's script says."""

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        clock.reset()
        records.clear()
        self.browser = ""  # the session cookie that the browser holds
        self.trace: list[Packed] = []

    def visit(
        self, cookie: Any, operations: list[dict[str, Any]], response: dict[str, Any]
    ) -> None:
        """Send one request; what is seen is appended to the trace."""
        self.operations, self.script = operations, response
        answer = self.mode.run(partial(self.request, cookie))
        self.slots = {}  # nobody sees the store object after its request
        self.trace.append(self.observe(self.describe_response(answer)))
        if morsel := answer.cookies.get(settings.SESSION_COOKIE_NAME):
            self.browser = morsel.value

    async def request(self, cookie: Any) -> HttpResponseBase:
        client: Any = CLIENTS[self.mode](raise_request_exception=False)
        client.cookies["other"] = "1"
        if value := self.browser if cookie == "own" else self.keys.resolve(cookie):
            client.cookies[settings.SESSION_COOKIE_NAME] = value
        return await client.get("/async") if self.mode is Async else client.get("/sync")

    async def respond(self, request: HttpRequest) -> HttpResponseBase:
        self.slots = {"A": request.session}
        self.trace.append(await self.mode.aside(partial(self.observe, {})))
        for operation in self.operations:
            self.trace.append(await self.step(**operation))
        if self.script["crash"]:
            raise RuntimeError("the view failed")
        kind = StreamingHttpResponse if self.script["streaming"] else HttpResponse
        response = kind(b"" if kind is HttpResponse else [b""], status=self.script["status"])
        if self.script["vary"]:
            response.headers["Vary"] = self.script["vary"]
        return response

    def describe_response(self, response: HttpResponseBase) -> dict[str, Any]:
        cookies = {
            name: {"value": self.keys.name(morsel.value)}
            | {attribute: value for attribute, value in morsel.items() if value != ""}
            for name, morsel in response.cookies.items()
        }
        headers = {name: value for name, value in response.items() if name != "Content-Type"}
        return {"status": response.status_code, "headers": headers, "cookies": cookies}


site: Site


def view(request: HttpRequest) -> HttpResponseBase:
    response: HttpResponseBase = Sync.run(partial(site.respond, request))
    return response


async def async_view(request: HttpRequest) -> HttpResponseBase:
    return await site.respond(request)


urlpatterns = [path("sync", view), path("async", async_view)]


def run(mode: str, program: list[dict[str, Any]], overrides: dict[str, Any]) -> list[Packed]:
    global site
    with override_settings(**overrides):
        site = Site(mode)
        for request in program:
            site.visit(**request)
        return site.trace
