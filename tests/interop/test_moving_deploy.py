"""A site changes from one engine to another, and back, while its visitors stay logged in."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import pytest

from tests.interop.browser import Browser
from tests.interop.places import OURS, Place, prepared
from tests.interop.processes import Worker
from tests.stores import MOVING, Case

COMMANDS = "tests.interop.commands"
ROWS, REDIS = (f"{OURS}.backends.{name}" for name in ("db", "redis"))


def alone(engine: str) -> dict[str, Any]:
    return {"SESSION_ENGINE": engine}


def moving(source: str, target: str, phase: str) -> dict[str, Any]:
    engines = {"FROM": source, "TO": target, "PHASE": phase}
    return {"SESSION_ENGINE": f"{OURS}.backends.moving", "SESSION_MOVE": engines}


THERE = [moving(ROWS, REDIS, phase) for phase in ("prepare", "move")]
BACK = [moving(REDIS, ROWS, phase) for phase in ("prepare", "move")]
#: Each way, and after which of its steps nothing may be left in FROM.
WAYS = {
    "there and back": ([alone(ROWS), *THERE, alone(REDIS), *BACK, alone(ROWS)], (2, 5)),
    "back after the first step": ([alone(ROWS), THERE[0], alone(ROWS)], ()),
    "back after the second step": ([alone(ROWS), *THERE, THERE[0], BACK[1], alone(ROWS)], (4,)),
}


@pytest.fixture(scope="module")
def home() -> Iterator[Place]:
    if MOVING.missing:
        pytest.skip(MOVING.missing)
    with prepared(Case("moving", "sqlite"), "moving") as place:
        with Worker(COMMANDS, place.site(OURS, **alone(ROWS))) as first:
            first.ask("manage", arguments=["migrate"])
            for name in ("ada", "bob", "eve"):
                first.ask("add_user", username=name)
        yield place


@pytest.fixture(scope="module")
def server(home: Place) -> Iterator[Callable[[dict[str, Any]], Any]]:
    """Start a server with these settings, once; return it and the address that it serves."""
    with ExitStack() as stack:
        started: list[Any] = []

        def start(step: dict[str, Any]) -> Any:
            for known, *found in started:
                if known == step:
                    return found
            worker = stack.enter_context(Worker(COMMANDS, home.site(OURS, **step)))
            addresses = worker.ask("serve")
            started.append([step, worker, addresses["asgi" if len(started) % 2 else "wsgi"]])
            return started[-1][1:]

        yield start
        for _, worker, _ in started:  # all of them end at the same time
            worker.process.stdin.close()


@pytest.mark.parametrize("way", WAYS)
def test_nobody_is_logged_out_and_nothing_is_lost(way: str, server: Any) -> None:
    """It takes the start of six servers, once."""
    steps, emptied = WAYS[way]
    ada, bob = Browser(), Browser()
    ada.visit(server(steps[0])[1], "log_in", "ada")
    bob.visit(server(steps[0])[1], "log_in", "bob")  # who saves nothing from then on
    for number, (step, following) in enumerate(pairwise(steps)):
        worker, one = server(step)
        if number in emptied:
            told = worker.ask("carry", keys=[who.session_cookie.value for who in (ada, bob)])
            assert set(told) <= {"moved", "gone"}
        other = server(following)[1]
        for turn, address in enumerate((one, other, other, one, other)):
            name = f"{number} {turn}"
            ada.visit(address, "put", {name: turn})
            for seen_by in (one, other):
                seen = ada.visit(seen_by, "look")
                assert seen["user"] == "ada", (step, following, turn)
                assert seen["data"][name] == turn
                assert bob.visit(seen_by, "look")["user"] == "bob", (step, following, turn)
        eve = Browser()
        eve.visit(other, "log_in", "eve")
        kept = eve.session_cookie
        assert eve.visit(one, "look")["user"] == "eve"
        eve.visit(one, "log_out")
        for address in (one, other):  # whoever had the cookie
            eve.jar.set_cookie(kept)
            assert eve.visit(address, "look")["user"] == ""
    written = {f"{number} {turn}" for number in range(len(steps) - 1) for turn in range(5)}
    assert ada.visit(server(steps[-1])[1], "look")["data"].keys() >= written
