"""Views that log in and out and use the session, once for each mode."""

from typing import Any

from django.contrib.auth import alogin, alogout, get_user_model, login, logout
from django.http import HttpRequest, JsonResponse
from django.urls import path

USERS = get_user_model().objects


def _answer(**values: Any) -> JsonResponse:
    return JsonResponse(values)


def log_in(request: HttpRequest) -> JsonResponse:
    login(request, USERS.get(username=request.GET["user"]))
    return _answer()


async def alog_in(request: HttpRequest) -> JsonResponse:
    await alogin(request, await USERS.aget(username=request.GET["user"]))
    return _answer()


def log_out(request: HttpRequest) -> JsonResponse:
    logout(request)
    return _answer()


async def alog_out(request: HttpRequest) -> JsonResponse:
    await alogout(request)
    return _answer()


def who(request: HttpRequest) -> JsonResponse:
    return _answer(user=request.user.get_username(), data=dict(request.session.items()))


async def awho(request: HttpRequest) -> JsonResponse:
    user = await request.auser()
    return _answer(user=user.get_username(), data=dict(await request.session.aitems()))


def write(request: HttpRequest) -> JsonResponse:
    for key, value in request.GET.items():
        request.session[key] = value
    return _answer()


async def awrite(request: HttpRequest) -> JsonResponse:
    for key, value in request.GET.items():
        await request.session.aset(key, value)
    return _answer()


def flush(request: HttpRequest) -> JsonResponse:
    request.session.flush()
    return _answer()


async def aflush(request: HttpRequest) -> JsonResponse:
    await request.session.aflush()
    return _answer()


def write_after_the_end(request: HttpRequest) -> JsonResponse:
    request.session["colour"] = "blue"
    type(request.session)().delete(request.session.session_key)
    return _answer()


async def awrite_after_the_end(request: HttpRequest) -> JsonResponse:
    await request.session.aset("colour", "blue")
    await type(request.session)().adelete(request.session.session_key)
    return _answer()


SYNC = (log_in, log_out, who, write, flush, write_after_the_end)
ASYNC = (alog_in, alog_out, awho, awrite, aflush, awrite_after_the_end)

urlpatterns = [
    *(path(f"sync/{view.__name__}/", view) for view in SYNC),
    *(path(f"async/{view.__name__[1:]}/", view) for view in ASYNC),
]
