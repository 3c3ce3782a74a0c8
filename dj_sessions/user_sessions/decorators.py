"""Decorators for views that want a user who has just logged in."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar, cast, overload

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from dj_sessions.user_sessions.relogin import (
    AUTHENTICATED_AT,
    MARK,
    authenticated_at,
    is_recent,
    page_of,
    to_login,
    with_mark,
)

__all__ = ["authenticated_at", "recent_login_required"]

View = TypeVar("View", bound=Callable[..., Any])


@overload
def recent_login_required(age: View, /) -> View: ...


@overload
def recent_login_required(
    age: float | None = None, *, login_url: str | None = None
) -> Callable[[View], View]: ...


def recent_login_required(age: Any = None, *, login_url: str | None = None) -> Any:
    """Let a view answer users who have logged in within the last ``age`` seconds.

    Others are sent to the login page, ``login_url`` or else ``LOGIN_URL``, and come back by a GET:
    to the same address, or after a POST to the page that has sent it. They stay logged in
    meanwhile. Without ``age`` it is ``SESSION_REAUTH_AGE``; without either it is
    ``login_required``. Raises ValueError for an ``age`` that is not above 0.
    """
    if callable(age):
        return recent_login_required()(age)
    if age is not None and not age > 0:
        raise ValueError(
            f"recent_login_required: age={age!r} is not a number of seconds above 0. "
            "Say how old a login may be, as in age=300, or leave it out for SESSION_REAUTH_AGE."
        )

    def decorate(view: View) -> View:
        return cast("View", _checked(view, age, login_url))

    return decorate


def _checked(view: Callable[..., Any], age: float | None, login_url: str | None) -> Any:
    if iscoroutinefunction(view):

        @wraps(view)
        async def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            user = await request.auser()
            if user.is_authenticated:
                await request.session.aget(AUTHENTICATED_AT)  # from here on, it is in memory
            if (answer := _answer(request, user, age, login_url)) is not None:
                return await sync_to_async(answer)()
            return await view(request, *args, **kwargs)

    else:

        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if (answer := _answer(request, request.user, age, login_url)) is not None:
                return answer()
            return view(request, *args, **kwargs)

    return checked


def _answer(
    request: HttpRequest, user: Any, age: float | None, login_url: str | None
) -> Callable[[], HttpResponseBase] | None:
    """Return what makes the answer to a visitor whom the view is not to answer yet."""
    is_read = request.method in ("GET", "HEAD")
    if not user.is_authenticated or not is_recent(request.session, age):
        # The page of a POST may be without this decorator, and not know what a mark is.
        return partial(to_login, request, page_of(request), login_url, has_mark=is_read)
    if is_read and MARK in request.GET:  # back from the login
        return partial(redirect, with_mark(page_of(request), None))
    return None
