"""The middleware of a site's own, synchronous and asynchronous."""

from typing import assert_type

from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessionMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from dj_sessions.middleware import CookieAttributes, Decision, SessionMiddleware, State


class PerSite(SessionMiddleware):
    def cookie_name(self, request: HttpRequest) -> str:
        return f"session_{request.get_host()}"

    def get_session_key(self, request: HttpRequest) -> str | None:
        return request.headers.get("X-Session") or super().get_session_key(request)

    def cookie_attributes(self, request: HttpRequest) -> CookieAttributes:
        return {**super().cookie_attributes(request), "samesite": "None", "secure": True}

    def decide(self, request: HttpRequest, response: HttpResponseBase, state: State) -> Decision:
        decision = super().decide(request, response, state)
        assert_type(decision.save, bool)
        assert_type(state.status, int)
        return Decision(vary=decision.vary) if request.method == "GET" else decision


class AsyncHalves(SessionMiddleware):
    async def aprocess_request(self, request: HttpRequest) -> None:
        await super().aprocess_request(request)

    async def aprocess_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        await request.session.aset("seen", True)
        return await super().aprocess_response(request, response)


def give_a_session(request: HttpRequest) -> None:
    def get_response(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    middleware = SessionMiddleware(get_response)
    middleware.process_request(request)
    assert_type(middleware.process_response(request, HttpResponse()), HttpResponse)
    django: DjangoSessionMiddleware = middleware
    assert issubclass(type(django), DjangoSessionMiddleware)
    SessionMiddleware()  # type: ignore[call-arg]


def mistakes(state: State) -> None:
    state.modified = False  # type: ignore[misc]
    Decision(saev=True)  # type: ignore[call-arg]
