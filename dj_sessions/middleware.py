"""``SessionMiddleware``: attach the store, run, decide, commit."""

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

from dj_sessions._http import cookies
from dj_sessions._http.cookies import CookieAttributes
from dj_sessions._http.decision import Decision, State
from dj_sessions._http.decision import decide as decide_by_rules
from dj_sessions._http.error_reports import ReportFilter
from dj_sessions._session.modes import Mode, finish, in_async, in_sync
from dj_sessions._session.twins import Twinned, replacement, twin_of
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


#: The status of no response, as tests have it: for a failure nothing is saved.
UNANSWERED: Final = 500


class SessionMiddleware(Twinned, DjangoSessionMiddleware):
    """Gives each request its ``session``, and each response what that session is owed.

    Under ASGI it stays in the event loop: a session that nobody touches costs no thread hop.
    A site that wants one thing different overrides one of the small methods: ``cookie_name``,
    ``get_session_key``, ``cookie_attributes``, ``decide``. ``process_request`` and
    ``process_response`` take effect in both modes.

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
        response = process_request(request) or get_response(request)
        return self.process_response(request, response)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        get_response: Callable[[HttpRequest], Any] = self.get_response
        process_request, process_response = map(self._half, ("process_request", "process_response"))
        response = await process_request(request) or await get_response(request)
        return await process_response(request, response)  # type: ignore[no-any-return]

    def _half(self, name: str) -> Callable[..., Any]:
        """Return a half for the event loop: one that was replaced, as by a mock, in a thread."""
        instead = replacement(self, name)
        if instead is None or replacement(self, f"a{name}") is not None:
            return getattr(self, f"a{name}")  # type: ignore[no-any-return]
        return sync_to_async(instead)

    # What a site may want different

    def cookie_name(self, request: HttpRequest) -> str:
        """Return the name of the session cookie; SESSION_COOKIE_NAME by default."""
        return conf.SESSION_COOKIE_NAME

    def get_session_key(self, request: HttpRequest) -> str | None:
        """Return the session key that the request brings; its cookie by default."""
        return request.COOKIES.get(self.cookie_name(request))

    def cookie_attributes(self, request: HttpRequest) -> CookieAttributes:
        """Return domain, path, secure, httponly and samesite, for setting and for deleting."""
        return cookies.attributes()

    def decide(self, request: HttpRequest, response: HttpResponseBase, state: State) -> Decision:
        """Return whether to save, set the cookie, delete it, and vary on it.

        Asked again if a session that was to be renewed unread turns out to be gone.
        """
        return decide_by_rules(state)

    # The two halves

    def process_request(self, request: HttpRequest) -> None:
        """Attach a session, not yet loaded, to the request."""
        request.exception_reporter_filter = self._report_filter  # type: ignore[assignment]
        request.session = self.SessionStore(self.get_session_key(request))

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Save the session and write its cookie as ``decide()`` says.

        Raises SessionInterrupted if the session was deleted while the request was served.
        """
        if not _is_session(getattr(request, "session", None)):
            return response
        decision = self._decide(request, response)
        if decision.save or decision.set_cookie:
            decision = finish(self._commit(in_sync, request, response, decision))
        session: Any = request.session
        if getattr(session, "_is_unsettled", False):
            session._settle()
        return self._announce(request, response, decision)

    @twin_of(process_request)
    async def aprocess_request(self, request: HttpRequest) -> None:
        if _is_made_in_memory(self.SessionStore):
            self.process_request(request)
        else:
            await sync_to_async(self.process_request)(request)

    @twin_of(process_response)
    async def aprocess_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if not _is_session(getattr(request, "session", None)):
            return response
        decision = self._decide(request, response)
        if decision.save or decision.set_cookie:
            if _is_at_home_in_the_loop(request.session):
                decision = await self._commit(in_async, request, response, decision)
            else:  # one hop for all that a store's overrides may look up on the way
                decision = await _commit_in_thread(self, request, response, decision)
        session: Any = request.session
        if getattr(session, "_is_unsettled", False):
            await session._asettle()
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
            await self._lasts_until_close(mode, session)
            if session.is_empty() != was_empty:
                decision = self._decide(request, response)
        if _came_late(session):
            decision = replace(decision, save=False, set_cookie=False)
        if decision.save and not await self._save(mode, session):
            is_over = self._has_cookie(request) and not _has_moved(session)
            decision = replace(decision, set_cookie=False, delete_cookie=is_over)
        # The request that has moved the session brings the cookie, and nobody else learns the key.
        if decision.set_cookie and not _has_moved(session):
            await self._set_cookie(mode, request, response, session)
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
        return response

    def _state(self, request: HttpRequest, response: HttpResponse, session: Any) -> State:
        return State(
            accessed=session.accessed,
            modified=session.modified,
            empty=session.is_empty(),
            has_cookie=self._has_cookie(request),
            save_every_request=conf.SESSION_SAVE_EVERY_REQUEST,
            status=getattr(response, "status_code", UNANSWERED),
            moved=_has_moved(session),
        )

    def _has_cookie(self, request: HttpRequest) -> bool:
        return self.cookie_name(request) in request.COOKIES

    async def _save(self, mode: Mode, session: Any) -> bool:
        """Save the session; return whether there still was one to renew."""
        try:
            session.save() if mode is in_sync else await session.asave()
        except UpdateError as error:
            if not session.modified:
                return False
            raise SessionInterrupted(
                "The request's session was deleted before the request completed. The user may "
                "have logged out in a concurrent request, for example."
            ) from error
        return True

    async def _set_cookie(
        self, mode: Mode, request: HttpRequest, response: HttpResponse, session: Any
    ) -> None:
        if await self._lasts_until_close(mode, session):
            age = None
        else:
            age = session.get_expiry_age() if mode is in_sync else await session.aget_expiry_age()
        name, attributes = self.cookie_name(request), self.cookie_attributes(request)
        cookies.write(response, name, session.session_key, attributes, age)

    async def _lasts_until_close(self, mode: Mode, session: Any) -> bool:
        if mode is in_sync:
            return bool(session.get_expire_at_browser_close())
        return bool(await session.aget_expire_at_browser_close())


def _is_session(session: Any) -> bool:
    """Return whether ``request.session`` is one, and not removed or replaced by something else."""
    return hasattr(session, "accessed")


def _has_moved(session: Any) -> bool:
    """Return whether another request has given the session another key meanwhile."""
    return getattr(session, "_was_moved", False) is True


def _came_late(session: Any) -> bool:
    """Return whether a new session would take the place of one whose key has just changed."""
    ask = getattr(session, "_came_late", None)
    return ask is not None and ask() is True


def _is_made_in_memory(store: Any) -> bool:
    """Return whether making a session is Django's or our own work, which asks no store."""
    made_by = str(getattr(store.__init__, "__module__", ""))
    return made_by.startswith(("dj_sessions.", "django.contrib.sessions."))


def _is_at_home_in_the_loop(session: Any) -> bool:
    """Return whether the async methods of ``session`` are to be called one by one."""
    if isinstance(session, Twinned):
        return session._is_awaited or not session._blocks
    return type(session).save is SessionBase.save  # it has async methods alone


@sync_to_async
def _commit_in_thread(
    middleware: SessionMiddleware,
    request: HttpRequest,
    response: HttpResponse,
    decision: Decision,
) -> Decision:
    return finish(middleware._commit(in_sync, request, response, decision))
