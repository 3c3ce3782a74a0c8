"""What makes a sync method of a body, and the async twin of a method: ``twins`` has the rules."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from asgiref.sync import sync_to_async

from dj_sessions._session.marks import Twin, mark_as
from dj_sessions._session.modes import Mode, finish, finish_in_loop, in_async, in_sync

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
F = TypeVar("F", bound=Callable[..., Any])

Body = Callable[Concatenate[S, Mode, P], Coroutine[Any, Any, R]]
Method = Callable[Concatenate[S, P], R]

#: Whether a body runs in async mode, also for what it calls in a thread.
is_async: Final = ContextVar("is_async", default=False)

#: Where a method keeps what makes its twin, until its class is made.
MAKE: Final = "_make_twin"


def replacement(instance: Any, name: str) -> Any:
    """Return what took the place of a method after its class was made; None if nothing did."""
    cls = type(instance)
    made = getattr(cls, "_as_made", {}).get(name)  # a classmethod's class has none
    if made is None:
        return None
    if name in vars(instance):
        return vars(instance)[name]
    return None if getattr(cls, name) is made else getattr(instance, name)


def stepping(body: Body[S, P, R]) -> Method[S, P, R]:
    """Return the sync method that runs ``body``, with its name, documentation and signature."""

    @wraps(body)
    def method(self: S, *args: P.args, **kwargs: P.kwargs) -> R:
        running = body(self, in_sync, *args, **kwargs)
        try:
            waits = running.send(None)
        except StopIteration as stop:  # nearly always: nothing in it has to wait
            return stop.value  # type: ignore[no-any-return]
        return finish(running, waits)

    signature = inspect.signature(body)
    parameters = [each for each in signature.parameters.values() if each.name != "mode"]
    method.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    method.__annotations__ = {k: v for k, v in body.__annotations__.items() if k != "mode"}
    return method  # type: ignore[return-value] # what mypy makes of wraps()


def driving(method: Callable[..., R], body: Any) -> Callable[..., Coroutine[Any, Any, R]]:
    """Return the async twin of an operation, which runs its ``body``."""

    async def twin(*args: Any, **kwargs: Any) -> Any:
        self: Any = args[0]
        instead = None if self._async_overrides else replacement(self, method.__name__)
        if instead is not None:
            return await sync_to_async(instead)(*args[1:], **kwargs)
        if self._is_awaited:
            token = is_async.set(True)
            try:
                return await body(self, in_async, *args[1:], **kwargs)
            finally:
                is_async.reset(token)
        running = body(self, in_sync, *args[1:], **kwargs)
        return await finish_in_loop(running, blocking=self._blocks)

    return _marked(twin, method, calling_in_thread)


def driving_after_load(method: Callable[..., R], body: Any) -> Callable[..., Any]:
    """Return the async twin of an operation on data, which is loaded first."""

    async def twin(*args: Any, **kwargs: Any) -> Any:
        self: Any = args[0]
        if self._is_awaited:
            return await body(self, in_async, *args[1:], **kwargs)
        await _load(*args, **kwargs)
        return finish(body(self, in_sync, *args[1:], **kwargs))

    return _marked(twin, method, after_load_in_thread)


def calling_after_load(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return the async twin that loads the session, then calls ``method`` in the loop."""

    async def twin(*args: Any, **kwargs: Any) -> Any:
        await _load(*args, **kwargs)
        return method(*args, **kwargs)

    return _marked(twin, method, after_load_in_thread)


def after_load_in_thread(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return the async twin that loads the session and calls ``method`` in a thread."""

    async def twin(*args: Any, **kwargs: Any) -> Any:
        await _load(*args, **kwargs)
        return await sync_to_async(method)(*args, **kwargs)

    return _marked(twin, method, after_load_in_thread)


async def _load(session: Any, *args: object, **kwargs: object) -> None:
    # Given an expiry, the methods that compute with it promise not to load.
    if "expiry" not in kwargs:
        await session._aget_session()


def calling_in_thread(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return the async twin that calls ``method`` in a thread."""

    async def twin(*args: Any, **kwargs: Any) -> Any:
        instead = replacement(args[0], method.__name__)
        if instead is not None:
            return await sync_to_async(instead)(*args[1:], **kwargs)
        return await sync_to_async(method)(*args, **kwargs)

    return _marked(twin, method, calling_in_thread)


def calling_at_once(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return the async twin that calls ``method`` in the loop."""

    async def twin(*args: Any, **kwargs: Any) -> Any:
        instead = replacement(args[0], method.__name__)
        if instead is not None:
            return await sync_to_async(instead)(*args[1:], **kwargs)
        return method(*args, **kwargs)

    return _marked(twin, method, calling_in_thread)


def _marked(twin: F, sync: Callable[..., Any], make: Callable[..., Any]) -> F:
    """Return ``twin`` with the name, the documentation and the mark of the twin of ``sync``."""
    name = twin_name(sync.__name__)
    wraps(sync)(twin)
    vars(twin).pop(MAKE, None)
    twin.__qualname__ = sync.__qualname__.removesuffix(sync.__name__) + name
    twin.__name__ = name
    mark_as(Twin(sync.__name__, make, twin))
    return twin


def twin_name(sync: str) -> str:
    """Return the name of the async twin of a method."""
    if sync == "__setitem__":
        return "aset"
    return f"_a{sync[1:]}" if sync.startswith("_") else f"a{sync}"
