"""Carrying the sessions that nobody visits from the source of a move to its target.

Each goes by the steps of ``MovingStorage.carry()``. Up to a hundred are taken side by side: what
they ask of one storage at the same time is asked at once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.utils import timezone

from dj_sessions import _keys
from dj_sessions.storage.base import Storage
from dj_sessions.storage.moving.places import Carried
from dj_sessions.storage.moving.storage import MovingStorage
from dj_sessions.storage.steps import Steps

#: Sessions that are moved at once. Who saves one of them waits until the database has written all.
AT_ONCE: Final = 100

#: Sessions that are named of all that stay where they are for one reason.
NAMED: Final = 5


class Carriage:
    """One run over what ``storage`` has in its source; with ``is_dry`` nothing moves."""

    def __init__(self, storage: MovingStorage, *, is_dry: bool = False) -> None:
        self._storage = storage
        self._carry = _looked_at if is_dry else _carried
        #: How many sessions had which outcome so far.
        self.outcome = Counter[Carried]()
        #: The public ids of the first of those that cannot be moved.
        self.named = defaultdict[Carried, list[str]](list)
        #: The name that was looked at last; empty before.
        self.last = ""

    @property
    def lists_in_order(self) -> bool:
        """Whether a run can go on behind the name where another one ended."""
        return self._storage.source.lists_in_order

    @property
    def shown_last(self) -> str:
        """As much of ``last`` as people may see: it may be a session key that still counts."""
        return self.last[: _keys.SHOWN]

    def total(self) -> int | None:
        """Return how many sessions the source has, None if it cannot count them."""
        try:
            return sum(self._storage.source.count_forms(timezone.now()).values())
        except NotImplementedError:
            return None

    def batches(
        self,
        size: int,
        after: str = "",
        limit: int | None = None,
        at_once: int | None = None,
    ) -> Iterator[int]:
        """Move up to ``limit`` sessions, ``at_once`` at a time; yields how many were looked at.

        Their names are listed ``size`` at a time. ``after`` begins behind a name. Raises
        NotImplementedError if the source cannot list them.
        """
        at_once = min(at_once or AT_ONCE, AT_ONCE)
        for names in self._storage.source.names(size, after):
            while names and limit != self.outcome[Carried.MOVED]:
                left = at_once if limit is None else limit - self.outcome[Carried.MOVED]
                some = names[: min(left, at_once)]
                self._note(some, self._carry(self._storage, some))
                yield len(some)
                del names[: len(some)]
            if limit == self.outcome[Carried.MOVED]:
                return

    def _note(self, names: Sequence[str], outcomes: Sequence[Carried]) -> None:
        self.last = names[-1]
        self.outcome.update(outcomes)
        for name, outcome in zip(names, outcomes, strict=True):
            if (
                outcome in (Carried.UNREADABLE, Carried.REFUSED)
                and len(self.named[outcome]) < NAMED
            ):
                self.named[outcome].append(_keys.public_id(name))


def _carried(storage: MovingStorage, names: Sequence[str]) -> list[Carried]:
    if not (storage.moves and storage.may_wait()):
        return [storage.carry(name) for name in names]  # which says why it cannot
    outcomes = _together([storage.transfer.carry(name) for name in names])
    return [
        storage.carry(name) if outcome is Carried.BUSY else outcome
        for name, outcome in zip(names, outcomes, strict=True)
    ]


def _looked_at(storage: MovingStorage, names: Sequence[str]) -> list[Carried]:
    """Return what would become of sessions: their steps are taken until one would write."""
    return _together([_reading(storage.transfer.carry(name)) for name in names])


def _reading(steps: Steps) -> Steps:
    answer = None
    while True:
        try:
            call = steps.send(answer)
        except StopIteration as end:
            return end.value
        if not str(call[2]).startswith(("read", "holds")):
            steps.close()
            return Carried.MOVED
        answer = yield call


def _together(all_steps: Sequence[Steps]) -> list[Any]:
    """Take all the steps, side by side, and return what each of them returns."""
    results: dict[int, Any] = {}
    answers = dict[int, Any].fromkeys(range(len(all_steps)))
    while answers:
        asked = defaultdict[tuple[Storage, str], dict[int, tuple[Any, ...]]](dict)
        for place, answer in answers.items():
            try:
                _, storage, method, *arguments = all_steps[place].send(answer)
            except StopIteration as end:
                results[place] = end.value
            else:
                asked[storage, method][place] = tuple(arguments)
        answers = {}
        for (storage, method), calls in asked.items():
            found = storage.many(method, list(calls.values()))
            answers.update(zip(calls, found, strict=True))
    return [results[place] for place in range(len(all_steps))]
