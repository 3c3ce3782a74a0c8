"""Removing expired sessions in batches: between two of them others work, and it may end.

A storage that knows no better is purged through its ``purge(now, batch)``. Those that keep expired
sessions bring a ``Purge`` of their own, which remembers how far it has come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final

#: Expired sessions removed at a time; the engines that know better start with it.
PURGE_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch did: sessions removed, whether more may follow, and in how many seconds."""

    removed: int
    more: bool
    pause: float = 0.0


class Purge:
    """One run over the expired sessions of a store."""

    #: How many may still be removed; None: all.
    left: int | None = None
    #: Whether a batch may be of any size.
    is_free: bool = False

    def batches(self, size: int | None = None, limit: int | None = None) -> Iterator[Batch]:
        """Remove up to ``limit`` sessions (None: all), ``size`` at a time (None: what suits).

        Yields after each batch; whoever iterates waits for as long as the batch asks.
        """
        suitable, left = PURGE_BATCH, limit
        self.is_free = size is None and limit is None
        while left is None or left > 0:
            self.left = left
            started = monotonic()
            now = size or suitable
            batch = self.step(now if left is None else min(now, left))
            taken = monotonic() - started
            suitable = self.next_size(suitable, taken)
            pause = self.pause(taken)
            left = None if left is None else left - batch.removed
            batch = replace(batch, more=batch.more and left != 0, pause=pause)
            yield batch
            if not batch.more:
                return

    def remove(self, limit: int) -> int:
        """Remove up to ``limit`` sessions; return how many."""
        return sum(batch.removed for batch in self.batches(limit, limit))

    def step(self, size: int) -> Batch:
        """Remove up to ``size`` sessions."""
        raise NotImplementedError

    def next_size(self, size: int, taken: float) -> int:
        """Return what suits the store after a batch of ``size`` that took ``taken`` seconds."""
        return size

    def pause(self, taken: float) -> float:
        """Return the seconds that others need after a batch that took ``taken`` seconds."""
        return 0.0

    def count(self) -> int:
        """Return how many sessions have expired, and remove none."""
        raise NotImplementedError

    def total(self) -> int | None:
        """Return ``count()`` where it is cheap, else None."""
        return None


class PlainPurge(Purge):
    """The run over a storage that has only its ``purge()``."""

    def __init__(self, purge: Callable[[int], int]) -> None:
        self._purge = purge

    def step(self, size: int) -> Batch:
        removed = self._purge(size)
        return Batch(removed, more=removed >= size)


class ForgottenPurge(PlainPurge):
    """The run over a store that forgets by itself what has expired."""

    def count(self) -> int:
        return 0


class PurgeOfAll(Purge):
    """The runs over several stores, one after another."""

    def __init__(self, purges: Sequence[Purge]) -> None:
        self._purges = purges

    def batches(self, size: int | None = None, limit: int | None = None) -> Iterator[Batch]:
        left = limit
        for purge in self._purges:
            is_last = purge is self._purges[-1]
            for batch in purge.batches(size, left):
                left = None if left is None else left - batch.removed
                yield replace(batch, more=(batch.more or not is_last) and left != 0)
                if left == 0:
                    return

    def count(self) -> int:
        return sum(purge.count() for purge in self._purges)

    def total(self) -> int | None:
        totals = [purge.total() for purge in self._purges]
        return None if None in totals else sum(filter(None, totals))
