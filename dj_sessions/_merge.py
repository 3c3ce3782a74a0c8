"""Three-way merge of two dictionaries that were changed apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_ABSENT: Final = object()


def merge(
    base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return ``theirs`` with the changes from ``base`` to ``ours`` made on top of it.

    A top-level key that we did not change is theirs; one that we added, changed or removed is
    as we left it.
    """
    merged = dict(theirs)
    for key in {**base, **ours}:
        value = ours.get(key, _ABSENT)
        if value is _ABSENT:
            merged.pop(key, None)
        elif key not in base or not _is_same(base[key], value):
            merged[key] = value
    return merged


def _is_same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal and of the same types: 1 and True are not the same."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return bool(one == other)
