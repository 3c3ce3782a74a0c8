"""Django's sessions and ours, each behind its own middleware, in this one process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse


def engine_name() -> str:
    return settings.SESSION_ENGINE.rpartition(".")[2]


@dataclass(frozen=True)
class Side:
    """A package of sessions, named by the root of its modules."""

    name: str
    root: str

    def engine(self, name: str | None = None) -> type[SessionBase]:
        """This side's engine of that name, by default of the one that the site uses."""
        return import_module(f"{self.root}.backends.{name or engine_name()}").SessionStore

    @property
    def middleware(self) -> Any:
        return import_module(f"{self.root}.middleware").SessionMiddleware


DJANGO = Side("Django", "django.contrib.sessions")
OURS = Side("dj_sessions", "dj_sessions")


class Browser:
    """Sends requests through a side's middleware, and keeps the session cookie between them."""

    def __init__(self, side: Side, engine: type[SessionBase], cookie: str | None = None) -> None:
        self.side, self.engine, self.cookie = side, engine, cookie
        self._cookies = {cookie}

    def request(self, view: Callable[[SessionBase], Any]) -> Any:
        """Send one request; `view` gets its session. Returns what the view returns."""
        request, returned = HttpRequest(), []
        if self.cookie:
            request.COOKIES[settings.SESSION_COOKIE_NAME] = self.cookie

        def get_response(request: HttpRequest) -> HttpResponse:
            returned.append(view(request.session))
            return HttpResponse()

        middleware = self.side.middleware(get_response)
        middleware.SessionStore = self.engine
        response = middleware(request)
        if settings.SESSION_COOKIE_NAME in response.cookies:
            self.cookie = response.cookies[settings.SESSION_COOKIE_NAME].value or None
            self._cookies.add(self.cookie)
        return returned[0]

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *error: object) -> None:
        """Delete each session that this browser has had."""
        forget(self.engine, self._cookies)


def forget(engine: type[SessionBase], keys: Iterable[str | None]) -> None:
    for key in filter(None, keys):
        engine(key).delete(key)


# Views, each with the session of its request


def log_in(session: SessionBase) -> None:
    session[SESSION_KEY] = "1"


def log_out(session: SessionBase) -> None:
    session.flush()


def is_logged_in(session: SessionBase) -> bool:
    return SESSION_KEY in session
