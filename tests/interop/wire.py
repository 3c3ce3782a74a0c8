"""How values travel between the test and its worker processes: JSON plus what JSON lacks.

Nothing is lost on the way, neither the type of a key nor tuple against list, because the tests
compare what the two implementations return to the last detail.
"""

from collections.abc import ItemsView, KeysView, ValuesView
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

_PLAIN = (str, int, float, bool, type(None))


@dataclass(frozen=True)
class Packed:
    """A value packed on the spot, before what it was made of changes."""

    value: Any


def pack(value: Any) -> Any:
    match value:
        case Packed():
            return value.value
        case list():
            return [pack(item) for item in value]
        case dict() if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: pack(item) for key, item in value.items()}
        case dict():
            return {"$dict": [[pack(key), pack(item)] for key, item in value.items()]}
        case tuple():
            return {"$tuple": [pack(item) for item in value]}
        case set():
            return {"$set": sorted((pack(item) for item in value), key=repr)}
        case bytes():
            return {"$bytes": value.decode("latin-1")}
        case datetime():
            return {"$datetime": value.isoformat()}
        case timedelta():
            return {"$timedelta": [value.days, value.seconds, value.microseconds]}
        case KeysView() | ItemsView() | ValuesView():
            return {"$view": [type(value).__name__, [pack(item) for item in value]]}
    return value if type(value) in _PLAIN else {"$object": type(value).__name__}


_UNPACK = {
    "$dict": lambda pairs: {unpack(key): unpack(item) for key, item in pairs},
    "$tuple": lambda items: tuple(unpack(item) for item in items),
    "$set": lambda items: {unpack(item) for item in items},
    "$bytes": lambda text: text.encode("latin-1"),
    "$datetime": datetime.fromisoformat,
    "$timedelta": lambda parts: timedelta(*parts),
    "$view": lambda parts: [unpack(item) for item in parts[1]],
    "$object": lambda name: f"<{name}>",
}


def unpack(value: Any) -> Any:
    match value:
        case list():
            return [unpack(item) for item in value]
        case dict() if len(value) == 1 and next(iter(value)) in _UNPACK:
            [(tag, inner)] = value.items()
            return _UNPACK[tag](inner)
        case dict():
            return {key: unpack(item) for key, item in value.items()}
    return value
