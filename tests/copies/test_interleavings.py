"""Requests that meet in every order: no copy outlives its row, and none is old after a save."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.copies.fakes import (
    KEY,
    PREFIX,
    PiecemealAdapter,
    Rows,
    Step,
    SteppingAdapter,
    Table,
    cache_at,
    new_place,
    payload,
    record,
    storage,
)
from tests.copies.stepping import Choose, Deed, every_order, play

#: They meet no database, no server and nothing of Django that differs between its versions.
pytestmark = pytest.mark.thorough

ADAPTERS = {"at once": SteppingAdapter, "piecemeal": PiecemealAdapter}
#: Which of two servers that take turns has its copies in the compact form.
FORMS = {"django": (False,), "compact": (True,), "side by side": (False, True)}
#: How often a request is interrupted by the other one.
INTERRUPTIONS = int(os.environ.get("INTERRUPTIONS", "2"))
#: How many random orders of three requests are tried.
SOME = 150


@pytest.fixture(params=ADAPTERS)
def adapter(request: pytest.FixtureRequest) -> type[SteppingAdapter]:
    return ADAPTERS[request.param]


@pytest.fixture(params=FORMS)
def forms(request: pytest.FixtureRequest) -> tuple[bool, ...]:
    return FORMS[request.param]


class World:
    """A table and a cache, and requests that use both."""

    def __init__(self, adapter: type[SteppingAdapter], forms: tuple[bool, ...], state: str) -> None:
        self.adapter, self.forms, self.place = adapter, forms, new_place()
        self.table, self.count = Table(), 0
        self.opened: list[Rows] = []
        if state != "unknown":
            self.table.rows[KEY] = payload(0)
        if state in ("copied", "evicted"):
            for is_compact in forms[:1]:
                self.visit(is_compact=is_compact).read(KEY)
        if state == "evicted":
            self.cache().delete(f"{PREFIX}{KEY}")

    def cache(self, step: Step | None = None) -> Any:
        cache = cache_at(self.place, self.adapter)
        if step is not None:
            cache._session_adapter.step = step
        return cache

    def visit(self, step: Step | None = None, is_compact: bool | None = None) -> Any:
        if is_compact is None:
            is_compact = self.forms[self.count % len(self.forms)]
            self.count += 1
        rows = Rows(self.table, *([] if step is None else [step]))
        rows.has_own_keys = True  # so that others may know a key before it is stored
        self.opened.append(rows)
        return storage(rows, self.cache(step), is_compact=is_compact)

    def is_honest(self) -> bool:
        """Return whether what is read is what is stored, whoever reads and whichever way."""
        for is_compact in sorted(set(self.forms)):
            found = self.visit(is_compact=is_compact)._look(KEY)
            stored = self.table.rows.get(KEY)
            if found is not None and found.payload != stored:
                return False
        return True

    def keeps_no_dead(self) -> bool:
        return KEY in self.table.rows or self.is_honest()


# What a request does


def reads(world: World, number: int) -> Deed:
    return lambda step: world.visit(step).read(KEY)


def saves(world: World, number: int) -> Deed:
    """Save what was loaded before, as it was, or over what others have saved meanwhile."""
    visit = world.visit()
    loaded = visit.read(KEY)

    def deed(step: Step) -> None:
        _step_into(visit, step)
        expected = loaded
        while expected is not None:
            if visit.replace(KEY, record(payload(number)), expected):
                return
            expected = visit.read_latest(KEY)

    return deed


def loads_and_saves(world: World, number: int) -> Deed:
    def deed(step: Step) -> None:
        visit = world.visit(step)
        expected = visit.read(KEY)
        while expected is not None:
            if visit.replace(KEY, record(payload(number)), expected):
                return
            expected = visit.read_latest(KEY)

    return deed


def overwrites(world: World, number: int) -> Deed:
    """Save without having loaded, as after ``clear()``."""
    return lambda step: world.visit(step).replace(KEY, record(payload(number)), None)


def creates(world: World, number: int) -> Deed:
    return lambda step: world.visit(step).insert(KEY, record(payload(number)))


def ends(world: World, number: int) -> Deed:
    return lambda step: world.visit(step).remove(KEY)


def deletes_the_row(world: World, number: int) -> Deed:
    """Delete as the ORM does, whose receivers hear of it before it is committed."""

    def deed(step: Step) -> None:
        visit = world.visit(step)
        with visit.inner.transaction():
            if visit.inner.remove(KEY):
                visit.end_copy(KEY)

    return deed


def inside_a_transaction(make: Callable[[World, int], Deed], commits: bool = True) -> Any:
    def made(world: World, number: int) -> Deed:
        def deed(step: Step) -> None:
            visit = world.visit(step)
            with visit.inner.transaction(commits=commits):
                make(WithVisit(world, visit), number)(step)  # type: ignore[arg-type]
            visit.settle()

        return deed

    made.__name__ = f"{make.__name__} and {'commits' if commits else 'rolls back'}"
    return made


class WithVisit:
    """A world that gives one visit to whoever asks."""

    def __init__(self, world: World, visit: Any) -> None:
        self.world, self.only = world, visit

    def visit(self, step: Step) -> Any:
        return self.only


def _step_into(visit: Any, step: Step) -> None:
    visit.inner.step = step
    visit._form.adapter.step = step


DEEDS = [
    *(reads, saves, loads_and_saves, overwrites, creates, ends, deletes_the_row),
    inside_a_transaction(overwrites),
    inside_a_transaction(loads_and_saves),
    inside_a_transaction(ends),
    inside_a_transaction(ends, commits=False),
    inside_a_transaction(loads_and_saves, commits=False),
]
STATES = ("copied", "evicted", "not copied", "unknown")

PAIRS = [(one, other) for index, one in enumerate(DEEDS) for other in DEEDS[index:]]


def name_of(deeds: Any) -> str:
    return ", ".join(deed.__name__ for deed in deeds)


@pytest.mark.parametrize("pair", PAIRS, ids=name_of)
def test_two_requests_in_every_order(pair, adapter, forms):
    for state in STATES:

        def run(choose: Choose, state: str = state) -> None:
            world = World(adapter, forms, state)
            deeds = [make(world, number) for number, make in enumerate(pair, 1)]
            said = play(deeds, choose, INTERRUPTIONS)
            assert world.is_honest(), (state, said)

        every_order(run)


@pytest.mark.parametrize("killed", ["ends", "ends and commits", "deletes_the_row"])
@pytest.mark.parametrize("other", DEEDS, ids=lambda deed: deed.__name__)
def test_a_process_that_dies_while_it_ends_a_session_leaves_no_copy(killed, other, adapter):
    [make] = [deed for deed in DEEDS if deed.__name__ == killed]
    for form in (FORMS["django"], FORMS["compact"]):
        for state in STATES[:3]:
            for turn in range(8):

                def run(
                    choose: Choose, turn: int = turn, state: str = state, form: Any = form
                ) -> None:
                    world = World(adapter, form, state)
                    deeds = [make(world, 1), other(world, 2)]
                    said = play(deeds, choose, killed=turn)
                    assert world.keeps_no_dead(), (state, turn, said)

                every_order(run)


def test_three_requests_in_many_orders(adapter, forms):
    source = random.Random(f"{adapter.__name__}{forms}")
    for _ in range(SOME * len(DEEDS)):
        makes, state = source.choices(DEEDS, k=3), source.choice(STATES)
        seed = source.random()
        world = World(adapter, forms, state)
        deeds = [make(world, number) for number, make in enumerate(makes, 1)]
        said = play(deeds, random.Random(seed).randrange, 99)
        assert world.is_honest(), (name_of(makes), state, said)
