"""Running one body in two modes.

Sync and async are both public, and both may be overridden. Each behaviour is written once. The
decorator of a method makes its async twin, whose name begins with ``a``:

``@after_load``: the twin loads the session, then calls the method, which only looks at the data.

``@in_thread``: the twin calls the method, which does I/O, in one thread hop.

``@at_once``: the twin calls the method, which neither loads nor blocks.

``@operation``: the method is written as a coroutine that reaches what exists in two modes through
a *mode*, its first argument: ``await mode(self.save, self.asave)``. ``in_sync`` calls the first,
``in_async`` awaits the second. The decorator makes the sync method, which steps the coroutine once,
as nothing in it waits. The twin runs it in one thread hop; or in async mode, where somebody's async
override, or a storage with async I/O, must be reached. ``@operation_on_data`` loads first.

``@twin_of(method)`` marks a twin that is written by hand.

*Outside.* Where a body has to wait for its turn, or before it tries again, it says so with
``await outside(mode, …)``. Where the async twin was called, no thread and no event loop is held
meanwhile; a sync method sleeps.

*Bridges.* When a subclass overrides only the sync twin, the async twin, older in the MRO, is
replaced by one that calls that subclass's own sync method.

*Replacements.* What takes the place of a sync method after its class was made, as tests and
what traces calls put it there, counts as an override as well: ``replacement()`` finds it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from dataclasses import replace
from functools import wraps
from types import FunctionType
from typing import Any, ClassVar, Concatenate, Final, ParamSpec, TypeVar

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
_MAKE = "_make_twin"


def after_load(method: F) -> F:
    """Have the async twin load the session and call ``method``.

    An override may block, and so is reached in a thread.
    """
    return _making(method, _after_load)


def in_thread(method: F) -> F:
    """Have the async twin call ``method`` in the thread that Django keeps for that."""
    return _making(method, _in_thread)


def at_once(method: F) -> F:
    """Have the async twin call ``method``, which neither loads nor blocks.

    An override may block, and so is reached in a thread.
    """
    return _making(method, _at_once)


def operation(body: Body[S, P, R]) -> Method[S, P, R]:
    """Make the sync method that runs ``body``, and have the async twin run it, too."""
    return _making(_stepping(body), lambda method: _driving(method, body))


def operation_on_data(body: Body[S, P, R]) -> Method[S, P, R]:
    """Do so for a body that looks at the data, which is loaded first."""
    return _making(_stepping(body), lambda method: _driving_after_load(method, body))


def twin_of(method: Any, make: Callable[..., Any] | None = None) -> Callable[[F], F]:
    """Mark an async twin of ``method`` that is written by hand; ``make`` bridges an override."""

    def mark(twin: F) -> F:
        mark_as(Twin(method.__name__, make or _in_thread, twin))
        twin.__doc__ = twin.__doc__ or method.__doc__
        return twin

    return mark


def replacement(instance: Any, name: str) -> Any:
    """Return what took the place of a method after its class was made; None if nothing did."""
    cls = type(instance)
    made = getattr(cls, "_as_made", {}).get(name)  # a classmethod's class has none
    if made is None:
        return None
    if name in vars(instance):
        return vars(instance)[name]
    return None if getattr(cls, name) is made else getattr(instance, name)


def _making(method: F, make: Callable[[F], Callable[..., Any]]) -> F:
    setattr(method, _MAKE, make)
    return method


def _stepping(body: Body[S, P, R]) -> Method[S, P, R]:
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


def _driving(method: Callable[..., R], body: Any) -> Callable[..., Coroutine[Any, Any, R]]:
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

    return _marked(twin, method, _in_thread)


def _driving_after_load(method: Callable[..., R], body: Any) -> Callable[..., Any]:
    async def twin(*args: Any, **kwargs: Any) -> Any:
        self: Any = args[0]
        if self._is_awaited:
            return await body(self, in_async, *args[1:], **kwargs)
        await _load(*args, **kwargs)
        return finish(body(self, in_sync, *args[1:], **kwargs))

    return _marked(twin, method, after_load_in_thread)


def _after_load(method: Callable[..., Any]) -> Callable[..., Any]:
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


def _in_thread(method: Callable[..., Any]) -> Callable[..., Any]:
    async def twin(*args: Any, **kwargs: Any) -> Any:
        instead = replacement(args[0], method.__name__)
        if instead is not None:
            return await sync_to_async(instead)(*args[1:], **kwargs)
        return await sync_to_async(method)(*args, **kwargs)

    return _marked(twin, method, _in_thread)


def _at_once(method: Callable[..., Any]) -> Callable[..., Any]:
    async def twin(*args: Any, **kwargs: Any) -> Any:
        instead = replacement(args[0], method.__name__)
        if instead is not None:
            return await sync_to_async(instead)(*args[1:], **kwargs)
        return method(*args, **kwargs)

    return _marked(twin, method, _in_thread)


def _marked(twin: F, sync: Callable[..., Any], make: Callable[..., Any]) -> F:
    """Return ``twin`` with the name, the documentation and the mark of the twin of ``sync``."""
    name = _twin_name(sync.__name__)
    wraps(sync)(twin)
    vars(twin).pop(_MAKE, None)
    twin.__qualname__ = sync.__qualname__.removesuffix(sync.__name__) + name
    twin.__name__ = name
    mark_as(Twin(sync.__name__, make, twin))
    return twin


def _twin_name(sync: str) -> str:
    if sync == "__setitem__":
        return "aset"
    return f"_a{sync[1:]}" if sync.startswith("_") else f"a{sync}"


class Twinned:
    """A class whose methods have async twins; subclasses may override either.

    ``blocking`` says whether sync methods do I/O, and so must leave the event loop; a class
    whose own methods do none says so in its body. ``_is_awaited`` says whether an async twin
    that is not ours must be reached, so that bodies run in async mode.
    """

    #: Whether sync methods do I/O.
    blocking = True
    _async_overrides = False

    #: The methods, each with its twin, that the class had when it was made.
    _as_made: ClassVar[dict[str, FunctionType]] = {}

    @property
    def _is_awaited(self) -> bool:
        return self._async_overrides

    @property
    def _blocks(self) -> bool:
        return self.blocking

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _make_twins(cls)
        cls._async_overrides = False
        for name, twin in twins_of(cls).items():
            if depth_of(cls, twin.sync) < depth_of(cls, name):
                _bridge(cls, name, twin)
            elif mark_of(definition_of(cls, name)) is None:
                cls._async_overrides = True
        cls._as_made = dict(functions_of(cls))


def _make_twins(cls: type[Twinned]) -> None:
    """Give a class the async twins that the decorators of its methods ask for."""
    for name, value in list(vars(cls).items()):
        # Not isinstance(): a lazy object would be evaluated.
        function = value.__func__ if issubclass(type(value), classmethod) else value
        make = vars(function).get(_MAKE) if type(function) is FunctionType else None
        if make is None or _twin_name(name) in vars(cls):
            continue
        twin = make(function)
        setattr(cls, _twin_name(name), classmethod(twin) if function is not value else twin)


def _bridge(cls: type[Twinned], name: str, twin: Twin) -> None:
    """Make the async twin ``name`` of ``cls`` call the sync twin that ``cls`` has."""
    owner = cls.__mro__[depth_of(cls, twin.sync)]
    definition = definition_of(cls, twin.sync)
    make = twin.make
    if vars(owner).get("blocking", True):
        if make is _in_thread:
            cls.blocking = True
    else:
        make = _at_once if make is _in_thread else _after_load
    bridge = make(as_method(definition, twin.sync))
    mark_as(replace(twin, owner=bridge))
    is_of_class = isinstance(definition_of(cls, name), classmethod)
    setattr(cls, name, classmethod(bridge) if is_of_class else bridge)
