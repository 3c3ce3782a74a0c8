"""Decorators for views."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from asgiref.sync import iscoroutinefunction
from django.utils.decorators import method_decorator

from dj_sessions._http.passive import MARK

__all__ = ["passive"]

View = TypeVar("View", bound=Callable[..., Any])


def passive(view: View) -> View:
    """Mark a view whose requests do not count as use: they do not renew the session.

    For what a page asks for by itself, as a poll every ten seconds. The view is a function, sync or
    async, or a class. What it changes in the session is saved, and its limits end it when they
    would have ended it without that. Put it above decorators of others.
    """
    if isinstance(view, type):
        return cast("View", method_decorator(passive, name="dispatch")(view))
    if iscoroutinefunction(view):

        @wraps(view)
        async def marked(*args: Any, **kwargs: Any) -> Any:
            return await view(*args, **kwargs)

    else:

        @wraps(view)
        def marked(*args: Any, **kwargs: Any) -> Any:
            return view(*args, **kwargs)

    setattr(marked, MARK, True)
    return cast("View", marked)
