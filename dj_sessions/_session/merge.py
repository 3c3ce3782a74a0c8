"""Three-way merge of two dictionaries that were changed apart."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from dj_sessions._session.limits import USER_ID


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


#: In place of a value: there is none under this key.
ABSENT: Final = _Absent()

#: What Django keeps of a login. It is one value: never one user's id beside another's hash.
LOGIN: Final = (USER_ID, "_auth_user_backend", "_auth_user_hash")

Resolve = Callable[[str, Any, Any, Any], Any]


def ours_wins(key: str, base: Any, ours: Any, theirs: Any) -> Any:
    """Return ``ours``: whoever saves later wins."""
    return ours


def changes(
    base: Mapping[str, Any], ours: Mapping[str, Any], *, tuples_are_lists: bool = True
) -> set[str]:
    """Return the keys whose values differ."""
    return {
        key
        for key in {**base, **ours}
        if not is_same(
            base.get(key, ABSENT), ours.get(key, ABSENT), tuples_are_lists=tuples_are_lists
        )
    }


def merge(
    base: Mapping[str, Any],
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    resolve: Resolve = ours_wins,
    changed: Collection[str] | None = None,
) -> dict[str, Any]:
    """Return ``theirs`` with our changes from ``base`` to ``ours`` made on top of it.

    ``changed`` names the top-level keys that we changed, by default those whose values differ.
    All others are theirs; one that we added, changed or removed is as we left it. Where they
    changed it too, and differently, ``resolve(key, base, ours, theirs)`` returns the value; ABSENT
    stands for no value, on either side of the call. The keys of a login stay together: if we
    changed one of them, all are ours.
    """
    mine = _with_whole_login(changes(base, ours) if changed is None else changed)
    merged = dict(theirs)
    for key in mine:
        before, value, other = (side.get(key, ABSENT) for side in (base, ours, theirs))
        if key not in LOGIN and not is_same(before, other) and not is_same(value, other):
            value = resolve(key, before, value, other)
        if value is ABSENT:
            merged.pop(key, None)
        else:
            merged[key] = value
    return merged


def _with_whole_login(changed: Collection[str]) -> Collection[str]:
    return changed if set(LOGIN).isdisjoint(changed) else {*changed, *LOGIN}


def take_over(
    live: dict[str, Any],
    base: Mapping[str, Any],
    theirs: Mapping[str, Any],
    resolve: Resolve = ours_wins,
    changed: Collection[str] | None = None,
) -> None:
    """Merge ``theirs`` into ``live``, which others may be changing at the same time.

    Only what they changed is touched, and nothing that was changed again since we looked.
    """
    ours = dict(live)
    merged = merge(base, ours, theirs, resolve, changed)
    for key in {**ours, **merged}:
        seen, value = ours.get(key, ABSENT), merged.get(key, ABSENT)
        if seen is value or live.get(key, ABSENT) is not seen:
            continue
        if value is ABSENT:
            live.pop(key, None)
        else:
            live[key] = value


def is_same(one: Any, other: Any, *, tuples_are_lists: bool = True) -> bool:
    """Return whether two values are equal and of the same types: 1 and True are not the same.

    A list is the tuple that it was before it was stored, if ``tuples_are_lists``. Values may be
    nested as deeply as they can be stored: no call for each level.
    """
    pairs = [(one, other)]
    while pairs:
        one, other = pairs.pop()
        if one is other:
            continue
        if isinstance(one, list | tuple) and isinstance(other, list | tuple):
            if not tuples_are_lists and isinstance(one, list) is not isinstance(other, list):
                return False
            if len(one) != len(other):
                return False
            pairs.extend(zip(one, other, strict=True))
        elif type(one) is not type(other):
            return False
        elif isinstance(one, dict):
            if one.keys() != other.keys():
                return False
            pairs.extend((value, other[key]) for key, value in one.items())
        elif not _is_equal(one, other):
            return False
    return True


def _is_equal(one: Any, other: Any) -> bool:
    if isinstance(one, str | bytes | int | set | frozenset):
        return bool(one == other)
    return _is_stored_alike(one, other)


def _is_stored_alike(one: object, other: object) -> bool:
    """Return whether two objects are stored as the same.

    Equality may mean anything: NaN is never equal, models are where their keys are, and an object
    without a word on it is to itself alone.
    """
    try:
        return pickle.dumps(one) == pickle.dumps(other)
    except (pickle.PicklingError, TypeError, AttributeError):
        return bool(one == other)
