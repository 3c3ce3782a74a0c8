"""What in a session takes the room."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from heapq import nlargest
from typing import Any, Final

#: How many keys a message names.
NAMED: Final = 3


def sizes_of_keys(
    data: Mapping[str, Any], dumps: Callable[[Any], bytes]
) -> Iterator[tuple[str, int]]:
    """Yield the top-level keys of ``data``, each with the bytes that ``dumps`` makes.

    Those are the bytes before compression and signature.
    """
    empty = len(dumps({}))
    return ((str(key), len(dumps({key: value})) - empty) for key, value in data.items())


def largest_keys(
    data: Mapping[str, Any], dumps: Callable[[Any], bytes]
) -> tuple[tuple[str, int], ...]:
    """Return the largest of them, for a message about a session that is too large."""
    return tuple(nlargest(NAMED, sizes_of_keys(data, dumps), key=lambda entry: entry[1]))
