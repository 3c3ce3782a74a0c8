"""Copies of session data that later changes cannot reach, and that can be compared."""

from __future__ import annotations

import pickle
from typing import Any


def take(data: Any) -> bytes:
    """Return a copy of ``data``; raises what ``pickle.dumps`` raises."""
    return pickle.dumps(data, pickle.HIGHEST_PROTOCOL)


def restore(taken: bytes) -> Any:
    """Return the data of a copy, a new one each time."""
    return pickle.loads(taken)  # noqa: S301 # made by take()


def is_same(one: bytes, other: bytes) -> bool:
    """Return whether two copies hold the same data.

    Values that cannot be compared have equal pickles; equal values may have different ones.
    """
    return one == other or bool(restore(one) == restore(other))


def is_expected(current: bytes | None, expected: bytes | None) -> bool:
    """Return whether ``current`` holds what is ``expected``; None: that there is nothing."""
    if current is None or expected is None:
        return current is expected
    return is_same(expected, current)
