"""The life of one session, lived by a store that notes which of its overrides are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from importlib import import_module
from inspect import iscoroutinefunction
from typing import Any

from django.http import HttpResponse
from django.test import RequestFactory

WITHOUT_TWIN = [
    *("get_model_class", "encode", "decode", "key_salt", "cache_key_prefix"),
    *("get_session_cookie_age", "_validate_session_key"),
]


def twin_of(name: str) -> str | None:
    """The name of the async twin that Django has."""
    if name in WITHOUT_TWIN:
        return None
    if name == "__setitem__":
        return "aset"
    return f"_a{name[1:]}" if name.startswith("_") else f"a{name}"


class Life:
    """One session from its first value to its end, then requests through the middleware."""

    def __init__(self, SessionStore: Any, root: str, is_async: bool) -> None:
        self.SessionStore = SessionStore
        self.Middleware = import_module(f"{root}.middleware").SessionMiddleware
        self.is_async = is_async

    async def do(self, session: Any, name: str, *args: Any) -> Any:
        if self.is_async:
            return await getattr(session, twin_of(name))(*args)
        return getattr(session, name)(*args)

    async def live(self, end_of: Callable[[str], None]) -> None:
        session = self.SessionStore()
        await self.do(session, "__setitem__", "colour", "green")
        end_of("set")
        await self.do(session, "save")
        end_of("create")
        session = self.SessionStore(session.session_key)
        end_of("attach")
        await self.do(session, "get", "colour")
        end_of("load")
        await self.do(session, "__setitem__", "colour", "blue")
        end_of("set again")
        await self.do(session, "save")
        end_of("save")
        for step, name, *args in (
            ("update", "update", {"fruit": "fig"}),
            ("setdefault", "setdefault", "tree", "oak"),
            ("pop", "pop", "tree"),
            ("set test cookie", "set_test_cookie"),
            ("test cookie worked", "test_cookie_worked"),
            ("delete test cookie", "delete_test_cookie"),
            ("set expiry", "set_expiry", 100),
            ("age", "get_expiry_age"),
            ("date", "get_expiry_date"),
            ("at browser close", "get_expire_at_browser_close"),
            ("set no expiry", "set_expiry", None),
            ("cycle_key", "cycle_key"),
        ):
            await self.do(session, name, *args)
            end_of(step)
        await self.do(self.SessionStore(), "exists", session.session_key)
        end_of("exists")
        session = self.SessionStore(session.session_key)
        await self.do(session, "save")
        end_of("load and save")
        await self.do(session, "flush")
        end_of("flush")
        await self.do(self.SessionStore, "clear_expired")
        end_of("clear_expired")
        await self.do(self.SessionStore("unknown0" * 4), "get", "colour")
        end_of("unknown")
        key = await self.serve(None, "__setitem__", "colour", "green")
        end_of("served: first")
        await self.serve(key, "get", "colour")
        end_of("served: read")
        key = await self.serve(key, "__setitem__", "colour", "blue")
        end_of("served: change")
        await self.serve(key, "flush")
        end_of("served: end")

    async def serve(self, key: str | None, name: str, *args: Any) -> str | None:
        """Serve one request; the key of the cookie that the response sets."""

        def view(request: Any) -> HttpResponse:
            getattr(request.session, name)(*args)
            return HttpResponse()

        async def async_view(request: Any) -> HttpResponse:
            await getattr(request.session, twin_of(name))(*args)
            return HttpResponse()

        middleware = self.Middleware(async_view if self.is_async else view)
        middleware.SessionStore = self.SessionStore
        request = RequestFactory().get("/")
        if key:
            request.COOKIES["sessionid"] = key
        response = middleware(request)
        if self.is_async:
            response = await response
        return response.cookies["sessionid"].value if "sessionid" in response.cookies else None


def recording(base: Any, names: Sequence[str], log: Counter[str]) -> Any:
    """A subclass that overrides `names`, notes each call and leaves the work to `super()`."""
    namespace: dict[str, Any] = {"__qualname__": base.__qualname__}
    for name in names:
        namespace[name] = _override(base, name, log, lambda: subclass)
    subclass = type(base.__name__, (base,), namespace)
    return subclass


def _override(base: Any, name: str, log: Counter[str], subclass: Callable[[], type]) -> Any:
    def override(self: Any, *args: Any, **kwargs: Any) -> Any:
        log[name] += 1
        return getattr(super(subclass(), self), name)(*args, **kwargs)

    async def async_override(self: Any, *args: Any, **kwargs: Any) -> Any:
        log[name] += 1
        return await getattr(super(subclass(), self), name)(*args, **kwargs)

    def answer(self: Any) -> Any:
        log[name] += 1
        return getattr(super(subclass(), self), name)

    if not callable(getattr(base, name)):
        return property(answer)
    function = async_override if iscoroutinefunction(getattr(base, name)) else override
    of_class = any(isinstance(vars(owner).get(name), classmethod) for owner in base.__mro__)
    return classmethod(function) if of_class else function
