"""How many lines are logged of what anybody can cause as often as they like."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from time import monotonic
from typing import Final
from weakref import WeakSet

#: Lines that are logged in so many seconds; of further ones, how many they were.
MOST: Final = 20
SECONDS: Final = 60


_rates: Final[WeakSet[LogRate]] = WeakSet()


class LogRate:
    """Lets the first lines of a minute through and counts the others, for all threads."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._began = float("-inf")
        self._count = 0
        self.begin_in_process()
        _rates.add(self)

    def begin_in_process(self) -> None:
        """Begin without the lock of the process that forked this one off."""
        self._lock = threading.Lock()

    def admit(self, log: Callable[[str], object], line: str) -> None:
        """Log ``line``, or count it; say where the counting begins, and later how many it were."""
        place, left_out = self.count()
        if left_out:
            log(f"{left_out} more of these lines were left out since the one before")
        if place <= MOST:
            log(line)
        elif place == MOST + 1:
            log(f"more than {MOST} of these lines in {SECONDS} seconds; the others are counted")

    def count(self) -> tuple[int, int]:
        """Count a line; return which one of its minute it is, and how many the last one left out.

        How many that were is told to the first line of a minute alone.
        """
        with self._lock:
            now, left_out = self._clock(), 0
            if now - self._began >= SECONDS:
                left_out = max(0, self._count - MOST)
                self._began, self._count = now, 0
            self._count += 1
            return self._count, left_out


#: Of sessions that cannot be read: whoever sends cookies can forge one with each request.
corruptions: Final = LogRate()


def _begin_in_process() -> None:
    for rate in list(_rates):
        rate.begin_in_process()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_process)
