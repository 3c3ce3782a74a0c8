"""The pages. Each uses the session as Django's documentation shows, some of them async."""

from __future__ import annotations

import inspect
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.contrib.auth.views import LoginView, LogoutView
from django.contrib.messages.views import SuccessMessageMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from dj_sessions.decorators import passive
from testproject.comparisons import COMPARISONS, DJANGO, OURS
from testproject.forms import (
    COLOURS,
    EXPIRIES,
    LIMITS,
    ColourForm,
    CommentForm,
    ExpiryForm,
    LimitForm,
)
from testproject.inspector import chosen_limit, ends, report, site_limits, stores
from testproject.models import Comment


@never_cache
def side_by_side(request: HttpRequest) -> HttpResponse:
    chosen = request.POST.get("run")
    compared = [
        (comparison, comparison.run() if chosen in (comparison.name, "all") else None)
        for comparison in COMPARISONS
    ]
    context = {"compared": compared, "sides": [DJANGO, OURS]}
    return render(request, "testproject/side_by_side.html", context)


async def visits(request: HttpRequest) -> HttpResponse:
    count = await request.session.aget("visits", 0) + 1
    await request.session.aset("visits", count)
    return await _arender(
        request, "visits.html", {"count": count, "colours": COLOURS, "source": _source(visits)}
    )


@require_POST
async def choose_colour(request: HttpRequest) -> HttpResponse:
    form = ColourForm(request.POST)
    if form.is_valid():
        await request.session.aset("fav_color", form.cleaned_data["colour"])
        messages.success(request, f"Your favourite colour is {form.cleaned_data['colour']}.")
    else:
        messages.error(request, "Choose one of the colours shown.")
    return redirect("visits")


@require_POST
async def forget_colour(request: HttpRequest) -> HttpResponse:
    await request.session.apop("fav_color", None)
    return redirect("visits")


def comment(request: HttpRequest) -> HttpResponse:
    form = CommentForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if request.session.get("has_commented", False):
            messages.info(request, "You've already commented.")
        else:
            form.save()
            request.session["has_commented"] = True
            messages.success(request, "Thanks for your comment!")
        return redirect("comment")
    context = {
        "form": None if request.session.get("has_commented", False) else form,
        "comments": Comment.objects.all()[:10],
        "source": _source(comment),
    }
    return render(request, "testproject/comment.html", context)


# CSRF protection itself needs a cookie: it would turn away a browser that keeps none before
# this view can say so.
@csrf_exempt
async def test_cookie(request: HttpRequest) -> HttpResponse:
    worked = None
    if request.method == "POST":
        worked = await request.session.atest_cookie_worked()
        if worked:
            await request.session.adelete_test_cookie()
    else:
        await request.session.aset_test_cookie()
    return await _arender(
        request, "test_cookie.html", {"worked": worked, "source": _source(test_cookie)}
    )


@never_cache
@passive
def inspector(request: HttpRequest) -> HttpResponse:
    context = {"session": report(request.session), "stores": stores(), "expiries": EXPIRIES}
    return render(request, "testproject/inspector.html", context)


@require_POST
def choose_expiry(request: HttpRequest) -> HttpResponse:
    form = ExpiryForm(request.POST)
    if form.is_valid():
        seconds, label = EXPIRIES[form.cleaned_data["expiry"]]
        request.session.set_expiry(seconds)
        messages.success(request, f"This session expires: {label[0].lower()}{label[1:]}.")
    else:
        messages.error(request, "Choose one of the moments shown.")
    return redirect("inspector")


@require_POST
def new_key(request: HttpRequest) -> HttpResponse:
    request.session.cycle_key()
    messages.success(request, "The same data, under a new key.")
    return redirect("inspector")


@require_POST
def forget_session(request: HttpRequest) -> HttpResponse:
    request.session.flush()
    messages.success(request, "The session and its cookie are deleted.")
    return redirect("inspector")


@never_cache
def limits(request: HttpRequest) -> HttpResponse:
    context = {
        "ends": ends(request.session),
        "limits": LIMITS,
        "chosen": chosen_limit(request.session),
        "site_limits": site_limits(),
        "source": _source(choose_limit),
    }
    return render(request, "testproject/limits.html", context)


@require_POST
def choose_limit(request: HttpRequest) -> HttpResponse:
    form = LimitForm(request.POST)
    if form.is_valid():
        seconds, label = LIMITS[form.cleaned_data["limit"]]
        request.session.set_expiry(seconds)
        messages.success(request, f"Your session ends: {label[0].lower()}{label[1:]}.")
    else:
        messages.error(request, "Choose one of the limits shown.")
    return redirect("limits")


def session_ended(request: HttpRequest) -> HttpResponse:
    """Where the warning leads when the session is over."""
    messages.info(request, "Your session has ended, and you are logged out. Log in again.")
    return redirect("login")


class LogIn(SuccessMessageMixin, LoginView):
    template_name = "testproject/login.html"
    success_message = "You are logged in."


class LogOut(LogoutView):
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().post(request, *args, **kwargs)
        messages.success(request, "You are logged out.")
        return response


async def _arender(request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    """Templates are synchronous, and the frame of a page asks the database who is logged in."""
    return await sync_to_async(render)(request, f"testproject/{name}", context)


def _source(view: Any) -> str:
    """The view's own code, which each page shows next to what it does."""
    return inspect.getsource(inspect.unwrap(view))
