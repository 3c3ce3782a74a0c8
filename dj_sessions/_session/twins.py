"""Running one body in two modes.

Sync and async are both public, and both may be overridden. Each behaviour is written once, by
one of these rules:

*After the load.* The async twin of a method that only looks at the data loads the session, then
calls the sync method: ``aget = after_load(get)``.

*One hop.* The async twin of a method that does I/O runs the whole sync method in one thread hop:
``aexists = in_thread(exists)``.

*One body.* Orchestration is a coroutine that reaches what exists in two modes through a *mode*:
``await mode(self.save, self.asave)``. ``in_sync`` calls the first, ``in_async`` awaits the
second. ``self.save() if mode is in_sync else await self.asave()`` is the same without a coroutine
of its own, for what each request does. The sync method steps the body once (``finish``), as
nothing in it waits; the async twin is ``driven(save, _save)``: one hop, or in async mode where
somebody's async override, or a store with async I/O, must be reached.

*Outside.* Where a body has to wait for its turn, or before it tries again, it says so with
``await outside(mode, …)``. Where the async twin was called, no thread and no event loop is held
meanwhile; a sync method sleeps.

*Bridges.* When a subclass overrides only the sync twin, the async twin, older in the MRO, is
replaced by one that calls that subclass's own sync method.

*Replacements.* What takes the place of a sync method after its class was made, as tests and
what traces calls put it there, counts as an override as well: ``replacement()`` finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import wraps
from types import FunctionType
from typing import Any, ClassVar, ParamSpec, TypeVar

from asgiref.sync import sync_to_async

from dj_sessions._session.marks import (
    Twin,
    as_method,
    definition_of,
    depth_of,
    functions_of,
    mark_as,
    mark_of,
    twins_of,
)
from dj_sessions._session.modes import finish, finish_in_loop, in_async, in_sync

P = ParamSpec("P")
R = TypeVar("R")

F = TypeVar("F", bound=Callable[..., Any])


def after_load(sync: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Return the async twin that loads the session and calls ``sync``.

    An override may block, and so is reached in a thread.
    """

    async def twin(*args: P.args, **kwargs: P.kwargs) -> R:
        await _load(*args, **kwargs)
        return sync(*args, **kwargs)

    return _marked(twin, sync, after_load_in_thread)


def after_load_in_thread(sync: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Return the async twin that loads the session and calls ``sync`` in a thread."""

    async def twin(*args: P.args, **kwargs: P.kwargs) -> R:
        await _load(*args, **kwargs)
        return await sync_to_async(sync)(*args, **kwargs)

    return _marked(twin, sync, after_load_in_thread)


async def _load(session: Any, *args: object, **kwargs: object) -> None:
    # Given an expiry, the methods that compute with it promise not to load.
    if "expiry" not in kwargs:
        await session._aget_session()


def in_thread(sync: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Return the async twin that calls ``sync`` in the thread that Django keeps for that."""

    async def twin(*args: P.args, **kwargs: P.kwargs) -> R:
        instead = replacement(args[0], sync.__name__)
        if instead is not None:
            return await sync_to_async(instead)(*args[1:], **kwargs)  # type: ignore[no-any-return]
        return await sync_to_async(sync)(*args, **kwargs)

    return _marked(twin, sync, in_thread)


def at_once(sync: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Return the async twin that calls ``sync``, which neither loads nor blocks.

    An override may block, and so is reached in a thread.
    """

    async def twin(*args: P.args, **kwargs: P.kwargs) -> R:
        instead = replacement(args[0], sync.__name__)
        if instead is not None:
            return await sync_to_async(instead)(*args[1:], **kwargs)  # type: ignore[no-any-return]
        return sync(*args, **kwargs)

    return _marked(twin, sync, in_thread)


def driven(
    sync: Callable[..., R], body: Callable[..., Coroutine[Any, Any, R]]
) -> Callable[..., Coroutine[Any, Any, R]]:
    """Return the async twin of ``sync``, a method that runs ``body(self, mode, …)``."""

    async def twin(*args: Any, **kwargs: Any) -> R:
        self: Any = args[0]
        if self._async_overrides:
            return await body(self, in_async, *args[1:], **kwargs)
        instead = replacement(self, sync.__name__)
        if instead is not None:
            return await sync_to_async(instead)(*args[1:], **kwargs)  # type: ignore[no-any-return]
        running = body(self, in_sync, *args[1:], **kwargs)
        return await finish_in_loop(running, blocking=self.blocking)

    return _marked(twin, sync, in_thread)


def driven_after_load(
    sync: Callable[..., R], body: Callable[..., Coroutine[Any, Any, R]]
) -> Callable[..., Coroutine[Any, Any, R]]:
    """Return the async twin of ``sync``, a method that looks at the data through ``body``."""

    async def twin(*args: Any, **kwargs: Any) -> R:
        self: Any = args[0]
        if self._async_overrides:
            return await body(self, in_async, *args[1:], **kwargs)
        await _load(*args, **kwargs)
        return finish(body(self, in_sync, *args[1:], **kwargs))

    return _marked(twin, sync, after_load_in_thread)


def replacement(instance: Any, name: str) -> Any:
    """Return what took the place of a method after its class was made; None if nothing did."""
    cls = type(instance)
    made = getattr(cls, "_as_made", {}).get(name)  # a classmethod's class has none
    if made is None:
        return None
    if name in vars(instance):
        return vars(instance)[name]
    return None if getattr(cls, name) is made else getattr(instance, name)


def twin_of(sync: Callable[..., Any], make: Callable[..., Any] = in_thread) -> Callable[[F], F]:
    """Mark an async twin of ``sync`` that is written by hand; ``make`` bridges an override."""

    def mark(twin: F) -> F:
        mark_as(Twin(sync.__name__, make, twin))
        twin.__doc__ = twin.__doc__ or sync.__doc__
        return twin

    return mark


def _marked(twin: F, sync: Callable[..., Any], make: Callable[..., Any]) -> F:
    """Return ``twin`` with the name, the documentation and the mark of the twin of ``sync``."""
    name = _twin_name(sync.__name__)
    wraps(sync)(twin)
    twin.__qualname__ = sync.__qualname__.removesuffix(sync.__name__) + name
    twin.__name__ = name
    mark_as(Twin(sync.__name__, make, twin))
    return twin


def _twin_name(sync: str) -> str:
    if sync == "__setitem__":
        return "aset"
    return f"_a{sync[1:]}" if sync.startswith("_") else f"a{sync}"


class Twinned:
    """A class whose subclasses may override either twin of a method.

    ``blocking`` tells whether sync methods do I/O, and so must leave the event loop; a class
    whose own methods do none says so in its body. ``_async_overrides`` tells whether an async
    twin that is not ours must be reached, so that bodies run in async mode.
    """

    #: Whether sync methods do I/O.
    blocking = True
    _async_overrides = False

    #: The methods, each with its twin, that the class had when it was made.
    _as_made: ClassVar[dict[str, FunctionType]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._async_overrides = False
        for name, twin in twins_of(cls).items():
            if depth_of(cls, twin.sync) < depth_of(cls, name):
                _bridge(cls, name, twin)
            elif mark_of(definition_of(cls, name)) is None:
                cls._async_overrides = True
        cls._as_made = dict(functions_of(cls))


def _bridge(cls: type[Twinned], name: str, twin: Twin) -> None:
    """Make the async twin ``name`` of ``cls`` call the sync twin that ``cls`` has."""
    owner = cls.__mro__[depth_of(cls, twin.sync)]
    definition = definition_of(cls, twin.sync)
    make = twin.make
    if vars(owner).get("blocking", True):
        cls.blocking = cls.blocking or make is in_thread
    else:
        make = at_once if make is in_thread else after_load
    bridge = make(as_method(definition, twin.sync))
    mark_as(replace(twin, owner=bridge))
    is_of_class = isinstance(definition_of(cls, name), classmethod)
    setattr(cls, name, classmethod(bridge) if is_of_class else bridge)
