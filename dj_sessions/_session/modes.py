"""The two modes of a body, and what steps it: see ``twins.py`` for the rules."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any, Final, ParamSpec, Protocol, TypeVar

from asgiref.sync import sync_to_async

P = ParamSpec("P")
R = TypeVar("R")


#: In the place of what a body waits for. A coroutine of asyncio's may wait for None.
_NOT_BEGUN: Final = object()


class Mode(Protocol):
    """Calls the one of two twins that fits the mode."""

    async def __call__(
        self,
        sync: Callable[P, R],
        twin: Callable[P, Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R: ...


async def in_sync(
    sync: Callable[P, R], twin: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
) -> R:
    """Call ``sync``."""
    return sync(*args, **kwargs)


async def in_async(
    sync: Callable[P, R], twin: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
) -> R:
    """Await ``twin``."""
    return await twin(*args, **kwargs)


class _Outside:
    """What a body asks of whoever steps it: to wait, by the one of two calls that fits."""

    __slots__ = ("sync", "twin")

    def __init__(self, sync: Callable[[], Any], twin: Callable[[], Awaitable[Any]]) -> None:
        self.sync = sync
        self.twin = twin

    def __await__(self) -> Generator[_Outside, Any, Any]:
        return (yield self)


async def outside(mode: Mode, sync: Callable[[], R], twin: Callable[[], Awaitable[R]]) -> R:
    """Wait where it holds up nobody else; neither call may raise.

    Sync code calls ``sync``. Under an event loop it awaits ``twin``, and no thread is held.
    """
    if mode is in_sync:
        return await _Outside(sync, twin)  # type: ignore[no-any-return]
    return await twin()


def finish(body: Coroutine[Any, Any, R], waits: Any = _NOT_BEGUN) -> R:
    """Return what ``body`` returns, without an event loop; it must be in sync mode.

    ``waits`` is what it waits for if it has begun.
    """
    answer = None
    while True:
        if waits is not _NOT_BEGUN:
            _refuse_others(body, waits)
            try:
                answer = waits.sync()
            except BaseException:  # a time limit, or Ctrl-C: what the body holds is let go
                body.close()
                raise
        try:
            waits = body.send(answer)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]


def _refuse_others(body: Coroutine[Any, Any, Any], waits: Any) -> None:
    """Raise RuntimeError for a body that waits for anything but its turn."""
    if isinstance(waits, _Outside):
        return
    body.close()
    raise RuntimeError(
        f"{body} waited in sync mode: a sync method that it calls is overridden "
        "by a coroutine function. Override the method whose name starts with 'a' instead."
    )


def _advance(body: Coroutine[Any, Any, Any], answer: Any) -> tuple[bool, Any]:
    """Step ``body`` to its end, or to where it waits; return whether it ended, and with what."""
    try:
        waits = body.send(answer)
    except StopIteration as stop:
        return True, stop.value
    _refuse_others(body, waits)
    return False, waits


async def finish_in_loop(body: Coroutine[Any, Any, R], *, blocking: bool) -> R:
    """Return what ``body`` returns; if it blocks, a thread hop for each step between its waits."""
    advance, answer = _advance_in_thread if blocking else _advance_at_once, None
    try:
        while True:
            is_done, result = await advance(body, answer)
            if is_done:
                return result  # type: ignore[no-any-return]
            answer = await result.twin()
    finally:
        # Of a task that was cancelled: what the body holds is let go, unless a thread is in it.
        with suppress(ValueError):
            body.close()


_advance_in_thread: Any = sync_to_async(_advance)


async def _advance_at_once(body: Coroutine[Any, Any, Any], answer: Any) -> tuple[bool, Any]:
    return _advance(body, answer)
