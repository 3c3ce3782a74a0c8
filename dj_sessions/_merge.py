"""Three-way merge of two dictionaries that were changed apart."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from typing import Any, Final


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


#: In place of a value: there is none under this key.
ABSENT: Final = _Absent()

Resolve = Callable[[str, Any, Any, Any], Any]


def ours_wins(key: str, base: Any, ours: Any, theirs: Any) -> Any:
    """Return ``ours``: whoever saves later wins."""
    return ours


def merge(
    base: Mapping[str, Any],
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    resolve: Resolve = ours_wins,
) -> dict[str, Any]:
    """Return ``theirs`` with the changes from ``base`` to ``ours`` made on top of it.

    A top-level key that we did not change is theirs; one that we added, changed or removed is
    as we left it. Where they changed it too, and differently, ``resolve(key, base, ours,
    theirs)`` returns the value; ABSENT stands for no value, on either side of the call.
    """
    merged = dict(theirs)
    for key in {**base, **ours}:
        before, mine, other = (side.get(key, ABSENT) for side in (base, ours, theirs))
        if _is_same(before, mine):
            continue
        if not _is_same(before, other) and not _is_same(mine, other):
            mine = resolve(key, before, mine, other)
        if mine is ABSENT:
            merged.pop(key, None)
        else:
            merged[key] = mine
    return merged


def take_over(
    live: dict[str, Any],
    base: Mapping[str, Any],
    theirs: Mapping[str, Any],
    resolve: Resolve = ours_wins,
) -> None:
    """Merge ``theirs`` into ``live``, which others may be changing at the same time.

    Only what they changed is touched, and nothing that was changed again since we looked.
    """
    ours = dict(live)
    merged = merge(base, ours, theirs, resolve)
    for key in {**ours, **merged}:
        seen, value = ours.get(key, ABSENT), merged.get(key, ABSENT)
        if seen is value or live.get(key, ABSENT) is not seen:
            continue
        if value is ABSENT:
            live.pop(key, None)
        else:
            live[key] = value


def _is_same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal and of the same types: 1 and True are not the same.

    A list is the tuple that it was before it was stored.
    """
    if one is other:
        return True
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_is_same, one, other))
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)
    if isinstance(one, str | bytes | int | set | frozenset):
        return bool(one == other)
    return _is_stored_alike(one, other)


def _is_stored_alike(one: object, other: object) -> bool:
    """Tell whether two objects are stored as the same.

    Equality may mean anything: NaN is never equal, models are where their keys are, and an object
    without a word on it is to itself alone.
    """
    try:
        return pickle.dumps(one) == pickle.dumps(other)
    except (pickle.PicklingError, TypeError, AttributeError):
        return bool(one == other)
