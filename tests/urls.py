"""URLs of the test-suite: the admin, and one view per thing that a view does to a session."""

from asgiref.sync import sync_to_async
from django.contrib import admin
from django.db import transaction
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


def rolled_back(request: HttpRequest) -> JsonResponse:
    """Save the session in a transaction of the database that is asked for, and fail."""
    with transaction.atomic(using=request.GET["database"]):
        request.session["step"] = "two"
        request.session.save()
        raise ZeroDivisionError


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


async def arolled_back(request: HttpRequest) -> JsonResponse:
    return await sync_to_async(rolled_back)(request)


async def auntouched(request: HttpRequest) -> JsonResponse:
    return JsonResponse({})


SYNC = read, write, flush, rolled_back, untouched
ASYNC = aread, awrite, aflush, arolled_back, auntouched

# A name per deed: Mode.view(name) is the view of that deed for the mode.
urlpatterns = [
    path("admin/", admin.site.urls),
    *(path(f"sync/{view.__name__}/", view) for view in SYNC),
    *(path(f"async/{view.__name__[1:]}/", view) for view in ASYNC),
]
