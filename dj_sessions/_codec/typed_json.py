"""JSON whose values come back as what they were.

A value that JSON does not know is an object of one key, a tag: ``{"~date": "2031-05-17"}``. Tags
count only in a text that ends with MARK, which stands outside all data. In other texts, whatever
looks like a tag is data. In these, a dictionary that looks like a tag is written in another way.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final, NamedTuple
from uuid import UUID

#: What a tag begins with.
TAG: Final = "~"
#: What a text with tags ends with: white space, which no serializer of Django's writes.
MARK: Final = b"\n"

#: What JSON gives back as it was, with the subclasses that it takes for the same.
_SCALARS: Final = (str, int, float, type(None))
#: The types of which nothing else need be asked.
_PLAIN: Final = frozenset((*_SCALARS, bool))
_TEXT: Final = frozenset((str,))
_DICT: Final = f"{TAG}dict"
#: What reading raises for what was written otherwise, as before a site has changed its ``dump()``.
_UNFIT: Final = (TypeError, AttributeError, LookupError, ArithmeticError)


class Kind(NamedTuple):
    """How values of a type are written: the name in the tag, what to write, and how to read it."""

    name: str
    dump: Callable[[Any], Any]
    load: Callable[[Any], Any]


class Unknown(ValueError):
    """The text has a tag that no type is registered under."""


def _elements(value: Iterable[Any]) -> list[Any]:
    return list(value)


def _dump_moment(kind: Any, value: Any) -> Any:
    """Return the text of a moment, in a list if it is the second of two that clocks call alike."""
    if value.tzinfo is not None and value.utcoffset() is None:  # its zone would be lost
        raise TypeError(
            f"{value!r} cannot be stored: without a date its time zone has no offset. Store a "
            "datetime, or the name of the zone beside a time without one."
        )
    text = kind.isoformat(value)
    return [text] if value.fold and value.tzinfo is None else text


def _load_moment(kind: Any, content: Any) -> Any:
    if isinstance(content, str):
        return kind.fromisoformat(content)
    return kind.fromisoformat(content[0]).replace(fold=1)


def _dump_timedelta(value: timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


def _pairs(value: dict[Any, Any]) -> dict[str, Any]:
    return {_DICT: [[_tagged(key), _tagged(part)] for key, part in value.items()]}


#: By type; of the bases of a value's type, the first that is here, or that JSON knows, counts.
KINDS: Final[dict[type, Kind]] = {
    datetime: Kind("datetime", partial(_dump_moment, datetime), partial(_load_moment, datetime)),
    date: Kind("date", date.isoformat, date.fromisoformat),
    time: Kind("time", partial(_dump_moment, time), partial(_load_moment, time)),
    timedelta: Kind("timedelta", _dump_timedelta, lambda parts: timedelta(*parts)),
    Decimal: Kind("decimal", str, Decimal),
    UUID: Kind("uuid", str, UUID),
    bytes: Kind("bytes", lambda value: b64encode(value).decode(), b64decode),
    tuple: Kind("tuple", list, tuple),
    set: Kind("set", _elements, set),
    frozenset: Kind("frozenset", _elements, frozenset),
}
_LOADS: Final[dict[str, Callable[[Any], Any]]] = {
    **{f"{TAG}{kind.name}": kind.load for kind in KINDS.values()},
    _DICT: dict,
}


def register(
    type_: type, name: str, dump: Callable[[Any], Any], load: Callable[[Any], Any]
) -> None:
    """Have values of a type written as what ``dump`` returns, and read by ``load``.

    Raises ValueError if the name is another type's, or JSON writes the type by itself.
    """
    if type_ in (*_SCALARS, bool, list, dict):
        raise ValueError(
            f"{_path(type_)} cannot be registered: JSON writes it by itself. Register a subclass."
        )
    taken = {kind.name: known for known, kind in KINDS.items()} | {"dict": dict}
    known = taken.get(name, type_)
    if _path(known) != _path(type_):  # a module may be imported again
        raise ValueError(
            f"The name {name!r} stands for {_path(known)} already. Choose another one for "
            f"{_path(type_)}."
        )
    KINDS.pop(known, None)
    KINDS[type_] = Kind(name, dump, load)
    _LOADS[f"{TAG}{name}"] = load


def _path(type_: type) -> str:
    return f"{type_.__module__}.{type_.__qualname__}"


def dumps(value: Any, plain: Callable[[Any], bytes]) -> bytes:
    """Return ``value`` as JSON: what ``plain`` writes, if that comes back as it was."""
    if _comes_back(value):
        return plain(value)
    return plain(_tagged(value)) + MARK


def loads(data: bytes, plain: Callable[[bytes], Any]) -> Any:
    """Return the value in ``data``; raises ValueError if there is none."""
    if not data.endswith(MARK):
        return plain(data)
    return json.loads(data.decode("latin-1"), object_hook=_untagged)


def _kind_of(value: object) -> Kind | None:
    """Return how a value is written; None: as JSON does, or not at all."""
    for base in type(value).__mro__:
        if base in KINDS:
            return KINDS[base]
        if base in _SCALARS or base in (list, dict):
            return None
    return None


def _comes_back(value: Any) -> bool:
    """Return whether all in ``value`` is what JSON gives back as it was, or refuses.

    No call for each level, and each container once: also what holds itself has an end.
    """
    rest, seen = [value], set()
    while rest:
        value = rest.pop()
        if type(value) not in (dict, list) and _kind_of(value) is not None:
            return False
        if not isinstance(value, dict | list) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict) and not _has_texts_for_keys(value):
            return False
        parts = value if isinstance(value, list) else value.values()
        if not _PLAIN.issuperset(map(type, parts)):  # most have nothing else
            rest += [part for part in parts if type(part) not in _PLAIN]
    return True


def _has_texts_for_keys(value: dict[Any, Any]) -> bool:
    return _TEXT.issuperset(map(type, value)) or all(isinstance(key, str) for key in value)


def _tagged(value: Any) -> Any:
    """Return ``value`` as JSON can write it, with tags."""
    kind = _kind_of(value)
    if kind is not None:
        content = _tagged(kind.dump(value))
        if kind.dump is _elements:  # in an order that depends on them alone
            content.sort(key=json.dumps)
        return {f"{TAG}{kind.name}": content}
    if isinstance(value, list):
        return [_tagged(part) for part in value]
    if not isinstance(value, dict):
        return value
    if not _has_texts_for_keys(value) or _looks_tagged(value):
        return _pairs(value)
    return {key: _tagged(part) for key, part in value.items()}


def _looks_tagged(value: dict[Any, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(TAG)


def _untagged(value: dict[str, Any]) -> Any:
    """Return what a tag stands for; another dictionary as it is."""
    if not _looks_tagged(value):
        return value
    [(tag, content)] = value.items()
    load, name = _LOADS.get(tag), tag.removeprefix(TAG)
    if load is None:
        raise Unknown(f"No type is registered as {name!r}")
    try:
        return load(content)
    except _UNFIT as error:
        raise ValueError(f"{type(error).__name__} while {name!r} was read") from error
