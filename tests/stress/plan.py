"""What a run is to do: the same in each of its processes, and after the same seed each time.

Chance decides by the seed alone who does what to which session; how the threads then fall in
with each other is up to the machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

#: Ways to end a session. `row` deletes it through the ORM, `soon` sets an end to come.
ENDS = ("logout", "delete", "login", "past", "soon")
TASKS = 3
PARTY = 4


@dataclass(frozen=True)
class Party:
    """Those who visit a mortal session; the first ends it, after so many visits."""

    actors: list[str]
    how: str
    patience: int


@dataclass(frozen=True)
class Plan:
    """`seconds` and `visits` (of each actor) both bound the run.

    `lasting` are the keys of sessions that nobody ends and everybody writes to; `mortal` those of
    sessions that one actor ends while a few others write to them.
    """

    seed: int
    seconds: float
    processes: int
    threads: int
    visits: int
    has_rows: bool
    lasting: list[str] = field(default_factory=list)
    mortal: list[str] = field(default_factory=list)

    def actors(self, process: int) -> tuple[list[str], list[str]]:
        """The names of the process's sync actors, a thread each, and of its async actors.

        The async ones are tasks of one event loop, which takes one of the threads.
        """
        names = [f"p{process}t{thread}" for thread in range(self.threads)]
        *threads, loop = names if len(names) > 1 else [*names, ""]
        return threads, [f"{loop}a{task}" for task in range(TASKS)] if loop else []

    def parties(self) -> list[Party]:
        """Who visits each of the mortal sessions."""
        chance = Random(f"{self.seed} parties")
        everybody = [n for p in range(self.processes) for names in self.actors(p) for n in names]
        ends = (*ENDS, "row") if self.has_rows else ENDS
        size = min(PARTY, len(everybody))
        return [
            Party(chance.sample(everybody, size), chance.choice(ends), chance.randrange(3))
            for _ in self.mortal
        ]

    def chance(self, actor: str) -> Random:
        return Random(f"{self.seed} actor {actor}")
