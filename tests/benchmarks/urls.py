"""The views that requests are measured with; `a…` are for ASGI."""

from __future__ import annotations

from itertools import count
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path

numbers = count()


def _answer() -> HttpResponse:
    # The length keeps the servers from answering in chunks.
    return HttpResponse(b"ok", headers={"Content-Length": "2"})


def untouched(request: HttpRequest) -> HttpResponse:
    return _answer()


def read(request: Any) -> HttpResponse:
    request.session.get("language")
    return _answer()


def write(request: Any) -> HttpResponse:
    request.session["number"] = next(numbers)
    return _answer()


async def auntouched(request: HttpRequest) -> HttpResponse:
    return _answer()


async def aread(request: Any) -> HttpResponse:
    await request.session.aget("language")
    return _answer()


async def awrite(request: Any) -> HttpResponse:
    await request.session.aset("number", next(numbers))
    return _answer()


urlpatterns = [
    path(view.__name__, view) for view in (untouched, read, write, auntouched, aread, awrite)
]
