"""Put two traces side by side and tell where they differ."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

Step = dict[str, Any]
Observation = dict[str, Any]
Place = tuple[str, ...]

ABSENT = "(absent)"
NOT_LOADED = "(not loaded)"


@dataclass(frozen=True)
class Experiment:
    """What is run on both sides, step by step."""

    engine: str
    mode: str
    steps: list[Step]
    overrides: dict[str, Any]
    version: tuple[int, int]
    """The version of Django."""


@dataclass(frozen=True)
class Seen:
    """One place in which the two sides differ after the same step, and how it came about."""

    experiment: Experiment
    step: Step
    before: Observation
    """What Django's side showed before the step, `after` what it showed then."""
    ours_before: Observation
    after: Observation
    ours_after: Observation
    baseline: Any
    """The data as the store object of this step last loaded or saved it."""
    place: Place = ()
    django: Any = None
    ours: Any = None

    def __str__(self) -> str:
        return f"{'.'.join(self.place)}: Django {self.django!r}, ours {self.ours!r}"


def leaves(django: Any, ours: Any, place: Place = ()) -> Iterator[tuple[Place, Any, Any]]:
    """Yield every place in which the two differ.

    Values are compared as JSON text: 1, True and 1.0 are three things, and order counts.
    """
    if isinstance(django, dict) and isinstance(ours, dict) and len(place) < 3:
        for name in django | ours:
            yield from leaves(django.get(name, ABSENT), ours.get(name, ABSENT), (*place, name))
    elif json.dumps(django) != json.dumps(ours):
        yield place, django, ours


class Baselines:
    """What each store object took for stored when it last loaded or saved."""

    def __init__(self) -> None:
        self.of: dict[str, Any] = {}

    def follow(self, step: Step, before: Observation, after: Observation) -> None:
        for slot, store in after["stores"].items():
            if store["data"] == NOT_LOADED:
                self.of[slot] = NOT_LOADED
            elif self.of.get(slot) == NOT_LOADED:
                self.of[slot] = after["records"].get(store["key"], {}).get("data", {})
        if step["do"] in ("save", "create", "cycle_key") and "returns" in after["outcome"]:
            self.of[step["slot"]] = after["stores"][step["slot"]]["data"]


def compare(
    experiment: Experiment, django: list[Observation], ours: list[Observation]
) -> Iterator[list[Seen]]:
    """Yield, step by step, what differs after it and did not differ in the same way before it."""
    baselines = Baselines()
    standing: dict[Place, list[Any]] = {}
    before: Observation = {}
    ours_before: Observation = {}
    for step, theirs, mine in zip(experiment.steps, django, ours, strict=True):
        differing = {place: values for place, *values in leaves(theirs, mine)}
        baseline = baselines.of.get(step["slot"])
        seen = Seen(experiment, step, before, ours_before, theirs, mine, baseline)
        yield [
            replace(seen, place=place, django=values[0], ours=values[1])
            for place, values in differing.items()
            if standing.get(place) != values
        ]
        baselines.follow(step, before, mine)
        standing, before, ours_before = differing, theirs, mine
