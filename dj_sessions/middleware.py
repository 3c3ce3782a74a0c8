"""``SessionMiddleware``: attach the session, get the response, decide, save."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from importlib import import_module
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessionMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.deprecation import MiddlewareMixin

from dj_sessions._http import candidates, cookies, headers, passive, saving
from dj_sessions._http.asking import (
    came_late,
    has_logged_out,
    has_moved,
    is_limited,
    is_made_in_memory,
    is_session,
)
from dj_sessions._http.cookies import CookieAttributes
from dj_sessions._http.decision import Decision, State
from dj_sessions._http.decision import decide as decide_by_rules
from dj_sessions._http.error_reports import ReportFilter
from dj_sessions._session.modes import Mode, finish, in_async, in_sync
from dj_sessions._session.registries import current_request, registries, used
from dj_sessions._session.twin_makers import replacement
from dj_sessions._session.twins import Twinned, twin_of
from dj_sessions.conf import conf
from dj_sessions.exceptions import SessionInterrupted, UpdateError

__all__ = [
    "CookieAttributes",
    "Decision",
    "SessionInterrupted",
    "SessionMiddleware",
    "State",
    "UpdateError",
]

#: The status of an object without one, as in tests. Nothing is saved, as after an error.
UNANSWERED: Final = 500


class SessionMiddleware(Twinned, DjangoSessionMiddleware):
    """Gives each request its ``session``; saves it and sets its cookie with the response.

    To change one thing, override one small method: ``cookie_name``, ``get_session_key``,
    ``cookie_attributes``, ``is_passive`` or ``decide``. Overrides of ``process_request`` and
    ``process_response`` take effect in sync and in async mode. Under ASGI the middleware stays in
    the event loop: a session that nobody touches costs no thread hop.

    https://docs.djangoproject.com/en/stable/ref/middleware/#module-django.contrib.sessions.middleware
    """

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        MiddlewareMixin.__init__(self, get_response)
        self.SessionStore = import_module(conf.SESSION_ENGINE).SessionStore
        self._report_filter = ReportFilter(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.async_mode:
            return self.__acall__(request)
        get_response: Callable[[HttpRequest], Any] = self.get_response
        process_request: Callable[[HttpRequest], Any] = self.process_request
        token = current_request.set(request) if registries else None
        try:
            response = process_request(request) or get_response(request)
            return self.process_response(request, response)
        finally:
            if token is not None:
                current_request.reset(token)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        get_response: Callable[[HttpRequest], Any] = self.get_response
        process_request, process_response = map(self._half, ("process_request", "process_response"))
        token = current_request.set(request) if registries else None
        try:
            response = await process_request(request) or await get_response(request)
            return await process_response(request, response)  # type: ignore[no-any-return]
        finally:
            if token is not None:
                current_request.reset(token)

    def _half(self, name: str) -> Callable[..., Any]:
        """Return a half for the event loop: one that was replaced, as by a mock, in a thread."""
        instead = replacement(self, name)
        if instead is None or replacement(self, f"a{name}") is not None:
            return getattr(self, f"a{name}")  # type: ignore[no-any-return]
        return sync_to_async(instead)

    # What a site may want different

    def cookie_name(self, request: HttpRequest) -> str:
        """Return the name of the session cookie, by default SESSION_COOKIE_NAME."""
        return conf.SESSION_COOKIE_NAME

    def get_session_key(self, request: HttpRequest) -> str | None:
        """Return the session key of the request, by default the value of its cookie."""
        return request.COOKIES.get(self.cookie_name(request))

    def cookie_attributes(self, request: HttpRequest) -> CookieAttributes:
        """Return domain, path, secure, httponly and samesite, to set and to delete the cookie.

        And ``partitioned``, where the cookie is to be.
        """
        return cookies.attributes()

    def is_passive(self, request: HttpRequest) -> bool:
        """Return whether the request does not count as use of its session, and so renews nothing.

        By default that of a view with ``@passive``, or of a path in SESSION_PASSIVE_PATHS. Asked
        only where a session would be renewed, or is saved while there are limits.
        """
        return passive.is_passive(request)

    def decide(self, request: HttpRequest, response: HttpResponseBase, state: State) -> Decision:
        """Return whether to save, set the cookie, delete it, and add ``Vary: Cookie``.

        Called again if the session was not read, and turns out to be gone before it is saved.
        """
        return decide_by_rules(state)

    # The two halves

    def process_request(self, request: HttpRequest) -> None:
        """Attach a session to the request; the session is loaded when first needed."""
        request.exception_reporter_filter = self._report_filter  # type: ignore[assignment]
        key = self.get_session_key(request)
        request.session = session = self.SessionStore(key)
        # More pairs than names: some cookie comes twice, and Django has kept the last of it.
        header = getattr(request, "META", {}).get("HTTP_COOKIE", "")
        if header.count(";") >= len(request.COOKIES) > 0:
            others = candidates.others(request, self.cookie_name(request), key)
            if others and hasattr(session, "_offer_keys"):
                session._offer_keys(others)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Save the session and write its cookie as ``decide()`` says.

        Raises SessionInterrupted if the session was deleted while the request was served.
        """
        if not is_session(getattr(request, "session", None)):
            return response
        decision = self._decide(request, response)
        if decision.save or decision.set_cookie:
            decision = finish(self._commit(in_sync, request, response, decision))
        session: Any = request.session
        if getattr(session, "_is_unsettled", False):
            session._settle()
        if registries:
            finish(used(in_sync, request, self.is_passive))
        return self._announce(request, response, decision)

    @twin_of(process_request)
    async def aprocess_request(self, request: HttpRequest) -> None:
        if is_made_in_memory(self.SessionStore):
            self.process_request(request)
        else:
            await sync_to_async(self.process_request)(request)

    @twin_of(process_response)
    async def aprocess_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if not is_session(getattr(request, "session", None)):
            return response
        decision = self._decide(request, response)
        if decision.save or decision.set_cookie:
            if _is_at_home_in_the_loop(request.session):
                decision = await self._commit(in_async, request, response, decision)
            else:  # one hop for all that a store's overrides may look up on the way
                committing = self._commit(in_sync, request, response, decision)
                decision = await sync_to_async(finish)(committing)
        session: Any = request.session
        if getattr(session, "_is_unsettled", False):
            await session._asettle()
        if registries:
            await used(in_async, request, self.is_passive)
        return self._announce(request, response, decision)

    def _decide(self, request: HttpRequest, response: HttpResponse) -> Decision:
        return self.decide(request, response, self._state(request, response, request.session))

    async def _commit(
        self,
        mode: Mode,
        request: HttpRequest,
        response: HttpResponse,
        decision: Decision,
    ) -> Decision:
        """Save and set the cookie; return what the response is owed, as it turned out."""
        session: Any = request.session
        if decision.save:
            # Saving must not create what was not there: loading tells whether it is.
            was_empty = session.is_empty()
            await saving.lasts_until_close(mode, session)
            if session.is_empty() != was_empty:
                decision = self._decide(request, response)
        if came_late(session):
            decision = replace(decision, save=False, set_cookie=False)
        if decision.save:
            saved = await saving.save(mode, session)
            is_over = saved is None and self._has_cookie(request) and not has_moved(session)
            if not saved:
                decision = replace(decision, set_cookie=False, delete_cookie=is_over)
        # The request that has moved the session brings the cookie, and nobody else learns the key.
        if decision.set_cookie and not has_moved(session):
            age = await saving.cookie_age(mode, session)
            name, attributes = self.cookie_name(request), self.cookie_attributes(request)
            cookies.write(response, name, session.session_key, attributes, age)
        return decision

    def _announce(
        self, request: HttpRequest, response: HttpResponse, decision: Decision
    ) -> HttpResponse:
        """Tell the browser that a session has ended, and caches what the response depends on."""
        if decision.delete_cookie:
            name, attributes = self.cookie_name(request), self.cookie_attributes(request)
            cookies.expire(response, name, attributes)
        if decision.vary and response.has_header("Vary"):
            patch_vary_headers(response, ("Cookie",))
        elif decision.vary:
            response.headers["Vary"] = "Cookie"
        if decision.clear_site_data:
            headers.clear_site_data(response)
        return response

    def _state(self, request: HttpRequest, response: HttpResponse, session: Any) -> State:
        accessed, every = session.accessed, conf.SESSION_SAVE_EVERY_REQUEST
        limited = accessed and is_limited(session)
        is_passive = (limited or every) and self.is_passive(request)
        if limited:
            session._is_passive = is_passive
        return State(
            accessed=accessed,
            modified=session.modified,
            empty=session.is_empty(),
            has_cookie=self._has_cookie(request),
            save_every_request=every,
            status=getattr(response, "status_code", UNANSWERED),
            moved=has_moved(session),
            passive=is_passive,
            renewal_due=limited and session._is_renewal_due(),
            ended=has_logged_out(session) and bool(self.get_session_key(request)),
        )

    def _has_cookie(self, request: HttpRequest) -> bool:
        return self.cookie_name(request) in request.COOKIES


def _is_at_home_in_the_loop(session: Any) -> bool:
    """Return whether the async methods of ``session`` are to be called one by one."""
    if isinstance(session, Twinned):
        return session._is_awaited or not session._blocks
    return type(session).save is SessionBase.save  # it has async methods alone
