"""The marks on async twins, by which a class is asked what it has in each of two modes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import Any

_MARK = "_twin_of"


@dataclass(frozen=True, slots=True)
class Twin:
    """The mark on an async twin of ours, and on a bridge: its sync twin, and how to reach it.

    It says whose it is: a decorator that wraps the function copies the mark as well.
    """

    sync: str
    make: Callable[[Callable[..., Any]], Callable[..., Any]]
    owner: Callable[..., Any]


def mark_as(twin: Twin) -> None:
    """Put the mark on the function that it is about."""
    setattr(twin.owner, _MARK, twin)


def as_method(definition: Any, name: str) -> Callable[..., Any]:
    """Return ``definition``, whatever kind of attribute it is, as a function of that name."""
    function = _function(definition)
    is_method = isinstance(function, FunctionType) and not isinstance(definition, property)
    if is_method and function.__name__ == name:
        return function  # type: ignore[no-any-return]

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        instance, cls = (None, self) if isinstance(self, type) else (self, type(self))
        get = getattr(type(definition), "__get__", None)
        value = definition if get is None else get(definition, instance, cls)
        return value(*args, **kwargs) if callable(value) else value

    method.__name__ = method.__qualname__ = name
    return method


def twins_of(cls: type) -> dict[str, Twin]:
    """Return the marks of all async twins, by name."""
    return {
        name: twin
        for base in reversed(cls.__mro__)
        for name, value in vars(base).items()
        if (twin := mark_of(value)) is not None
    }


def functions_of(cls: type) -> Iterator[tuple[str, FunctionType]]:
    """Yield the methods of both modes that are plain functions, with their names."""
    for name, twin in twins_of(cls).items():
        for each in (name, twin.sync):
            definition = definition_of(cls, each)
            if type(definition) is FunctionType:
                yield each, definition


def depth_of(cls: type, name: str) -> int:
    """Return how far up the MRO of ``cls`` ``name`` is defined."""
    return next(depth for depth, base in enumerate(cls.__mro__) if name in vars(base))


def definition_of(cls: type, name: str) -> Any:
    """Return what the MRO of ``cls`` has first under ``name``, as it stands there."""
    return vars(cls.__mro__[depth_of(cls, name)])[name]


def mark_of(value: Any) -> Twin | None:
    """Return the mark on an async twin, None of anything else."""
    # Not getattr(): a mock has every attribute, and a lazy object would be evaluated.
    function = _function(value)
    mark = getattr(function, "__dict__", {}).get(_MARK)
    return mark if isinstance(mark, Twin) and mark.owner is function else None


def _function(value: Any) -> Any:
    """Return the function inside a classmethod or property, else ``value``."""
    if issubclass(type(value), classmethod):
        return value.__func__
    return value.fget if issubclass(type(value), property) else value
