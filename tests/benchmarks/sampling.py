"""Take samples: how long one call takes, on average over as many calls as fill a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from cProfile import Profile
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any, Protocol

#: Pairs of short samples that one difference is the median of.
SLICES = 8


class Sampled(Protocol):
    def sample(self, seconds: float) -> float:
        """Return seconds per call (or another unit), measured for about `seconds`."""
        ...


def _nothing(*arguments: Any) -> None:
    return None


@dataclass
class Calls:
    """`call(argument)`, timed; `make()` gives each call its argument, `tidy(argument)` follows.

    One call does the operation `of` times.
    """

    call: Callable[[Any], Any]
    make: Callable[[], Any] = _nothing
    tidy: Callable[[Any], Any] = _nothing
    of: int = 1
    count: int = 0

    def sample(self, seconds: float) -> float:
        if not self.count:
            self.count = self._calibrated(seconds)
        return self._run(self.count) / self.count / self.of

    def profiled(self) -> Profile:
        """The calls of one sample, seen by the profiler; take a sample first."""
        arguments, call, profile = [self.make() for _ in range(self.count)], self.call, Profile()
        with profile:
            for argument in arguments:
                call(argument)
        for argument in arguments:
            self.tidy(argument)
        return profile

    def _calibrated(self, seconds: float) -> int:
        """Return how many calls take `seconds`; on the way, connections and caches get warm."""
        count, took = 1, self._run(1)
        while took < seconds / 4:
            count *= 2
            took = self._run(count)
        return max(1, math.ceil(count * seconds / took))

    def _run(self, count: int) -> float:
        arguments = [self.make() for _ in range(count)]
        call = self.call
        start = perf_counter()
        for argument in arguments:
            call(argument)
        took = perf_counter() - start
        for argument in arguments:
            self.tidy(argument)
        return took


@dataclass
class Added:
    """What `more` takes longer than `less`, which take turns."""

    more: Calls
    less: Calls

    def sample(self, seconds: float) -> float:
        part = seconds / SLICES / 2
        pairs = [(self.more.sample(part), self.less.sample(part)) for _ in range(SLICES)]
        return median(more - less for more, less in pairs)

    @property
    def count(self) -> int:
        return self.more.count

    def profiled(self) -> Profile:
        """The calls of `more`, which the profiler cannot subtract from."""
        return self.more.profiled()


@dataclass
class Figure:
    """Something that is not a time."""

    measure: Callable[[], float]

    def sample(self, seconds: float) -> float:
        return self.measure()
