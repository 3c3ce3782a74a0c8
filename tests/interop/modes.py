"""One call, spelled for synchronous and for asynchronous code."""

from collections.abc import Callable, Coroutine
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async

Body = Callable[[], Coroutine[Any, Any, Any]]


class Sync:
    """Call the methods themselves; a body that awaits nothing ends at its first step."""

    @staticmethod
    async def call(owner: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        return getattr(owner, name)(*args, **kwargs)

    @staticmethod
    def run(body: Body) -> Any:
        try:
            body().send(None)
        except StopIteration as end:
            return end.value
        raise AssertionError("the synchronous mode awaited something")

    @staticmethod
    async def aside(function: Callable[[], Any]) -> Any:
        """Call what is no part of the body: it may do blocking I/O in either mode."""
        return function()


class Async:
    """Call the async twins, on an event loop."""

    TWINS = {"__setitem__": "aset", "__contains__": "ahas_key"}
    WITHOUT_TWIN = {"clear", "is_empty", "get_session_cookie_age"}

    @classmethod
    async def call(cls, owner: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        if name in cls.WITHOUT_TWIN:
            return getattr(owner, name)(*args, **kwargs)
        if name in ("__getitem__", "__delitem__"):
            await owner.ahas_key(args[0])  # loads, as a view must before it uses the operator
            return getattr(owner, name)(*args)
        return await getattr(owner, cls.TWINS.get(name, "a" + name))(*args, **kwargs)

    @staticmethod
    def run(body: Body) -> Any:
        return async_to_sync(body)()

    @staticmethod
    async def aside(function: Callable[[], Any]) -> Any:
        return await sync_to_async(function)()


MODES: dict[str, Any] = {"sync": Sync, "async": Async}
