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
what traces calls put it there, counts as an override as well: ``replacement()`` in ``twin_makers``
finds it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import FunctionType
from typing import Any, ClassVar

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
from dj_sessions._session.twin_makers import (
    MAKE,
    Body,
    F,
    Method,
    P,
    R,
    S,
    calling_after_load,
    calling_at_once,
    calling_in_thread,
    driving,
    driving_after_load,
    stepping,
    twin_name,
)


def after_load(method: F) -> F:
    """Have the async twin load the session and call ``method``.

    An override may block, and so is reached in a thread.
    """
    return _making(method, calling_after_load)


def in_thread(method: F) -> F:
    """Have the async twin call ``method`` in the thread that Django keeps for that."""
    return _making(method, calling_in_thread)


def at_once(method: F) -> F:
    """Have the async twin call ``method``, which neither loads nor blocks.

    An override may block, and so is reached in a thread.
    """
    return _making(method, calling_at_once)


def operation(body: Body[S, P, R]) -> Method[S, P, R]:
    """Make the sync method that runs ``body``, and have the async twin run it, too."""
    return _making(stepping(body), lambda method: driving(method, body))


def operation_on_data(body: Body[S, P, R]) -> Method[S, P, R]:
    """Do so for a body that looks at the data, which is loaded first."""
    return _making(stepping(body), lambda method: driving_after_load(method, body))


def twin_of(method: Any, make: Callable[..., Any] | None = None) -> Callable[[F], F]:
    """Mark an async twin of ``method`` that is written by hand; ``make`` bridges an override."""

    def mark(twin: F) -> F:
        mark_as(Twin(method.__name__, make or calling_in_thread, twin))
        twin.__doc__ = twin.__doc__ or method.__doc__
        return twin

    return mark


def _making(method: F, make: Callable[[F], Callable[..., Any]]) -> F:
    setattr(method, MAKE, make)
    return method


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
        make = vars(function).get(MAKE) if type(function) is FunctionType else None
        if make is None or twin_name(name) in vars(cls):
            continue
        twin = make(function)
        setattr(cls, twin_name(name), classmethod(twin) if function is not value else twin)


def _bridge(cls: type[Twinned], name: str, twin: Twin) -> None:
    """Make the async twin ``name`` of ``cls`` call the sync twin that ``cls`` has."""
    owner = cls.__mro__[depth_of(cls, twin.sync)]
    definition = definition_of(cls, twin.sync)
    make = twin.make
    if vars(owner).get("blocking", True):
        if make is calling_in_thread:
            cls.blocking = True
    else:
        make = calling_at_once if make is calling_in_thread else calling_after_load
    bridge = make(as_method(definition, twin.sync))
    mark_as(replace(twin, owner=bridge))
    is_of_class = isinstance(definition_of(cls, name), classmethod)
    setattr(cls, name, classmethod(bridge) if is_of_class else bridge)
