"""URLs of the test-suite: the admin, and one view per thing that a view does to a session."""

from django.contrib import admin
from django.http import HttpRequest, JsonResponse
from django.urls import path


def read(request: HttpRequest) -> JsonResponse:
    return JsonResponse(dict(request.session.items()))


def write(request: HttpRequest) -> JsonResponse:
    request.session.update(request.GET.dict())
    return JsonResponse({})


def flush(request: HttpRequest) -> JsonResponse:
    request.session.flush()
    return JsonResponse({})


def untouched(request: HttpRequest) -> JsonResponse:
    return JsonResponse({})


async def aread(request: HttpRequest) -> JsonResponse:
    return JsonResponse(dict(await request.session.aitems()))


async def awrite(request: HttpRequest) -> JsonResponse:
    await request.session.aupdate(request.GET.dict())
    return JsonResponse({})


async def aflush(request: HttpRequest) -> JsonResponse:
    await request.session.aflush()
    return JsonResponse({})


async def auntouched(request: HttpRequest) -> JsonResponse:
    return JsonResponse({})


# A name per deed: Mode.view(name) is the view of that deed for the mode.
urlpatterns = [
    path("admin/", admin.site.urls),
    *(path(f"sync/{view.__name__}/", view) for view in (read, write, flush, untouched)),
    *(path(f"async/{view.__name__[1:]}/", view) for view in (aread, awrite, aflush, auntouched)),
]
