"""Actors that take turns: each runs until it says what it does next.

What chooses whose turn it is decides the order. All orders can be tried in which an actor is
interrupted so many times, and each goes the same way every time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from greenlet import greenlet

from tests.copies.fakes import Step

#: What an actor does, given the step that it calls before each of its calls.
Deed = Callable[[Step], Any]
#: Returns one of so many numbers.
Choose = Callable[[int], int]


class Killed(BaseException):
    """The end of an actor's process."""


class Actor(greenlet):
    """Does its deed, one step for each turn."""

    def __init__(self, deed: Deed) -> None:
        super().__init__(self._run)
        self.deed = deed
        self.said: list[str] = []
        #: Whether it can go on only when another one has done something.
        self.is_waiting = self._is_killed = False

    def _run(self) -> None:
        try:
            self.deed(self._step)
        except Killed:
            self.said.append("killed")

    def _step(self, said: str) -> None:
        if not self._is_killed:
            self.said.append(said)
            self.is_waiting = said == "waits"
            self.parent.switch()
        if self._is_killed:
            raise Killed

    def turn(self) -> None:
        """Have the actor go on to its next call, or to its end."""
        self.switch()

    def kill(self) -> None:
        """End the actor before its next call."""
        self._is_killed = True
        if self:
            self.turn()


def play(
    deeds: list[Deed], choose: Choose, interruptions: int = 2, killed: int | None = None
) -> list[list[str]]:
    """Have actors take turns, and return what they have said.

    ``choose`` says who goes on. So many times it may be another one than the one that can go on
    itself. The first actor is ``killed`` at that turn of its own.
    """
    actors = [Actor(deed) for deed in deeds]
    current, count = None, 0
    while active := [actor for actor in actors if not actor.dead]:
        ready = [actor for actor in active if not actor.is_waiting] or active
        if current in ready:
            ready.sort(key=lambda actor: actor is not current)
            chosen = ready[choose(len(ready)) if interruptions and len(ready) > 1 else 0]
            interruptions -= chosen is not current
        else:
            chosen = ready[choose(len(ready)) if len(ready) > 1 else 0]
        current = chosen
        for actor in active:
            actor.is_waiting = False
        if current is actors[0]:
            count += 1
            if count - 1 == killed:
                current.kill()
                continue
        current.turn()
    return [actor.said for actor in actors]


def every_order(run: Callable[[Choose], None], most: int = 100_000) -> int:
    """Call ``run`` with what chooses, once for each order; return how many there were."""
    path: list[tuple[int, int]] = []
    for number in range(1, most + 1):
        run(_following(path))
        while path and path[-1][0] + 1 >= path[-1][1]:
            path.pop()
        if not path:
            return number
        chosen, options = path.pop()
        path.append((chosen + 1, options))
    raise AssertionError(f"more than {most} orders")


def _following(path: list[tuple[int, int]]) -> Choose:
    """Return what goes the way of ``path``, and notes there where it goes on."""
    position = 0

    def choose(options: int) -> int:
        nonlocal position
        if position == len(path):
            path.append((0, options))
        position += 1
        return path[position - 1][0]

    return choose
