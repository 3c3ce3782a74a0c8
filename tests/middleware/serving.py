"""Requests through the middleware, in either mode.

What is served is written with sync session methods; what the middleware itself does takes the
twins of the mode.
"""

import inspect

from asgiref.sync import async_to_sync
from django.core.cache import caches
from django.http import HttpResponse
from django.test import RequestFactory

from dj_sessions.backends import cache
from dj_sessions.middleware import SessionMiddleware

UNKNOWN_KEY = "abcdefgh" * 4


def serve(mode, view, cookie=None, middleware=SessionMiddleware, request=None):
    """The response to a request that brings `cookie`; `view` may return None for an empty 200."""
    request = request or RequestFactory().get("/")
    if cookie is not None:
        request.COOKIES["sessionid"] = cookie

    def get_response(request):
        return view(request) or HttpResponse()

    async def aget_response(request):
        response = view(request)
        return (await response if inspect.isawaitable(response) else response) or HttpResponse()

    if mode.is_async:
        return async_to_sync(middleware(aget_response))(request)
    return middleware(get_response)(request)


def stored(**data):
    """The key of a session that is already stored."""
    session = cache.SessionStore()
    session.update(data or {"colour": "green"})
    session.save()
    return session.session_key


def data_of(key):
    return dict(cache.SessionStore(key).items())


def records():
    return len(caches["default"]._cache)


def untouched(request):
    pass


def change(request):
    request.session["colour"] = "blue"


def flush(request):
    request.session.flush()


def look(request):
    request.session.get("colour")


def middleware_with(store):
    class Middleware(SessionMiddleware):
        def __init__(self, get_response):
            super().__init__(get_response)
            self.SessionStore = store

    return Middleware
