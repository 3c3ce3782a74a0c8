"""How long the tests wait on a busy machine, and how they tell what is quick."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds after which what does not answer counts as broken, on the slowest machine.
PATIENCE = 120


def quickest(attempt: Callable[[], object], tries: int = 3) -> float:
    """The seconds that the quickest of some attempts took: a busy machine delays some, not all."""
    return min(_seconds(attempt) for _ in range(tries))


def _seconds(attempt: Callable[[], object]) -> float:
    began = time.perf_counter()
    attempt()
    return time.perf_counter() - began
