"""How long the tests wait on a busy machine, and how they tell what is quick."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

#: Seconds after which what does not answer counts as broken, on the slowest machine.
PATIENCE = 120


def quickest(attempt: Callable[[], object], below: float, tries: int = 30) -> float:
    """The seconds that the quickest of some attempts took: a busy machine delays some, not all.

    There is no other attempt once one took less than `below`: what is always slower is found out.
    """
    took = _seconds(attempt)
    while took >= below and tries > 1:
        tries -= 1
        took = min(took, _seconds(attempt))
    return took


def eventually(attempt: Callable[[], T], *errors: type[Exception], tries: int = 30) -> T:
    """What an attempt returns; where it comes too late on a busy machine, that of another one."""
    for _ in range(tries - 1):
        with suppress(*errors):
            return attempt()
    return attempt()


def _seconds(attempt: Callable[[], object]) -> float:
    began = time.perf_counter()
    attempt()
    return time.perf_counter() - began
