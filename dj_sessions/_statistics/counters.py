"""Counters whose memory does not grow with what they count."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import Final

#: Different things that are counted exactly. Twice as many are held before the rare ones go.
KEPT: Final = 10_000


class TopCounter:
    """Counts what comes often; of very many different things the rare ones are forgotten."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._counts: Counter[str] = Counter()
        #: Whether something was forgotten, so that a count may be too low.
        self.is_approximate = False

    def add(self, thing: str, count: int = 1) -> None:
        """Count ``thing``."""
        self._counts[thing] += count
        if len(self._counts) > 2 * self._kept:
            self._counts = Counter(dict(self._counts.most_common(self._kept)))
            self.is_approximate = True

    def __len__(self) -> int:
        """Return how many different things are known."""
        return len(self._counts)

    def __getitem__(self, thing: str) -> int:
        """Return the count of ``thing``."""
        return self._counts[thing]

    def top(self, number: int) -> list[tuple[str, int]]:
        """Return the ``number`` things that came most often, each with its count."""
        return sorted(self._counts.items(), key=lambda each: (-each[1], each[0]))[:number]


class Histogram:
    """Counts numbers by the first of ``bounds`` that they do not exceed; the last bin has none."""

    def __init__(self, bounds: Sequence[int]) -> None:
        self.bounds = tuple(bounds)
        #: How many there are in each bin.
        self.counts = [0] * (len(bounds) + 1)

    def add(self, number: float) -> None:
        """Count ``number``."""
        self.counts[bisect_left(self.bounds, number)] += 1

    def bins(self, scale: float = 1) -> list[tuple[int | None, int]]:
        """Return each bound and how many are in its bin, times ``scale``; None: no bound."""
        scaled = (round(count * scale) for count in self.counts)
        return list(zip((*self.bounds, None), scaled, strict=True))
