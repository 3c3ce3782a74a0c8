"""The site of the rolling deploy: log in and out, keep values, leave and read messages.

Each view exists once and is served twice: under WSGI as a synchronous view that uses the
synchronous methods, under ASGI as an async view that uses the async twins.
"""

import json
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from django.contrib import auth, messages
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import path

from tests.interop.modes import Async, Sync

View = Callable[[HttpRequest, Any, Any], Coroutine[Any, Any, Any]]


async def log_in(request: HttpRequest, mode: Any, sent: Any) -> Any:
    user = await mode.call(auth, "authenticate", request, username=sent, password=sent)
    await mode.call(auth, "login", request, user)
    return user.get_username()


async def log_out(request: HttpRequest, mode: Any, sent: Any) -> Any:
    await mode.call(auth, "logout", request)


async def put(request: HttpRequest, mode: Any, sent: Any) -> Any:
    await mode.call(request.session, "update", sent)


async def set_expiry(request: HttpRequest, mode: Any, sent: Any) -> Any:
    await mode.call(request.session, "set_expiry", sent)


async def leave_message(request: HttpRequest, mode: Any, sent: Any) -> Any:
    messages.info(request, sent)


async def look(request: HttpRequest, mode: Any, sent: Any) -> Any:
    user = await mode.call(auth, "get_user", request)
    items = await mode.call(request.session, "items")
    return {
        "user": user.get_username(),
        "data": {name: value for name, value in items if not name.startswith("_")},
        "at browser close": await mode.call(request.session, "get_expire_at_browser_close"),
    }


async def read_messages(request: HttpRequest, mode: Any, sent: Any) -> Any:
    await mode.call(request.session, "has_key", "loads the session for the storage below")
    return [str(message) for message in messages.get_messages(request)]


def synchronous(view: View, request: HttpRequest) -> HttpResponseBase:
    body = partial(view, request, Sync, json.loads(request.body or "null"))
    return JsonResponse(Sync.run(body), safe=False)


async def asynchronous(view: View, request: HttpRequest) -> HttpResponseBase:
    return JsonResponse(await view(request, Async, json.loads(request.body or "null")), safe=False)


VIEWS: list[View] = [log_in, log_out, put, set_expiry, leave_message, look, read_messages]

urlpatterns = [
    path(f"{prefix}/{view.__name__}", partial(spelling, view))
    for view in VIEWS
    for prefix, spelling in (("sync", synchronous), ("async", asynchronous))
]
