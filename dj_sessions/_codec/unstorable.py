"""Which part of session data cannot be stored, and the error that names it."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from dj_sessions.exceptions import SessionEncodeError

#: What the serializers of the standard library raise for a value that they cannot hold.
UNSTORABLE = (TypeError, ValueError, AttributeError, RecursionError, pickle.PicklingError)

#: How far to look for it: data that holds itself, or nests for ever, has no innermost part.
_DEPTH = 32


def raise_encode_error(
    data: Mapping[str, Any],
    dumps: Callable[[Any], object],
    holder: str,
    remedy: str,
    error: Exception,
) -> NoReturn:
    """Raise the error that names what in ``data`` made ``dumps`` fail with ``error``.

    ``error`` itself is raised again where the data is not at fault: every part of it can be
    stored, or not even an empty dictionary can.
    """
    found = _find_unstorable(data, dumps, "session") if _storable({}, dumps) else None
    if found is None:
        raise error
    path, value = found
    said = f"{holder} said: {error}. {remedy}"
    raise SessionEncodeError(path, type(value), said) from error


def _find_unstorable(
    value: Any, dumps: Callable[[Any], object], path: str
) -> tuple[str, Any] | None:
    """Return the path and value of the innermost part that ``dumps`` refuses."""
    if _storable(value, dumps):
        return None
    for _ in range(_DEPTH):
        if isinstance(value, Mapping):
            for key in value:
                if not _storable({key: None}, dumps):
                    return f"the key {key!r} of {path}", key
        refused = next(
            (part for part in _parts(value, path) if not _storable(part[1], dumps)), None
        )
        if refused is None:
            break
        path, value = refused
    return path, value


def _storable(value: Any, dumps: Callable[[Any], object]) -> bool:
    try:
        dumps(value)
    except UNSTORABLE:
        return False
    return True


def _parts(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield f"{path}[{key!r}]", part
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield f"{path}[{index}]", part
