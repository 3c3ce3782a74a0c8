"""Random programs through Django's sessions and ours: what is seen is the same.

Two environment variables help to look closer:

    DIFFERENTIAL_SEED      any number; the programs are the same ones each time without it
    DIFFERENTIAL_EXAMPLES  how many programs each test tries; some thousands make a longer run
"""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis.strategies import SearchStrategy

from tests.differential import programs
from tests.differential.conftest import SEED
from tests.differential.differences import do, visit
from tests.differential.laboratory import DJANGO, Finding, Laboratory

EXAMPLES = int(os.environ.get("DIFFERENTIAL_EXAMPLES") or 80)

RIGS: dict[str, list[SearchStrategy[Any]]] = {
    "stores": [programs.PROGRAMS, programs.STORE_OVERRIDES],
    "requests": [programs.BROWSING, programs.BROWSING_OVERRIDES],
}


def search(laboratory: Laboratory, rig: str, spelling: str, examples: int) -> None:
    """Fail with the shortest program after which something is seen that nothing explains."""

    @seed(SEED)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(*RIGS[rig])
    def agree(program: list[dict[str, Any]], overrides: dict[str, Any]) -> None:
        for finding in laboratory.run(rig, spelling, program, overrides):
            assert not finding.unexplained, report(finding)

    agree()


def report(finding: Finding) -> str:
    step = finding.unexplained[0].step
    arguments = [*map(repr, step["args"]), *(f"{k}={v!r}" for k, v in step["kwargs"].items())]
    places = "".join(f"\n  {seen}" for seen in finding.unexplained)
    return (
        f"after step {finding.number + 1}, {step['slot']}.{step['do']}({', '.join(arguments)}), "
        f"no deliberate difference explains:{places}"
    )


@pytest.mark.parametrize("rig", RIGS)
def test_django_and_ours_are_seen_to_do_the_same(
    laboratory: Laboratory, rig: str, spelling: str
) -> None:
    """Dictionary, expiry and lifecycle of stores; requests through the middleware."""
    search(laboratory, rig, spelling, EXAMPLES)


def unknown_session_marked_as_modified() -> tuple[str, list[dict[str, Any]]]:
    return "requests", [
        visit(do("set_flag", "modified", True), cookie="never0made0but0could0have0been00")
    ]


def payload_corrupted_while_the_session_is_in_use() -> tuple[str, list[dict[str, Any]]]:
    return "stores", [
        do("update", {"a": 1, "b": 1}),
        do("save"),
        do("corrupt", "garbage"),
        do("__setitem__", "b", 2),
        do("save"),
    ]


def file_emptied_while_the_session_is_in_use() -> tuple[str, list[dict[str, Any]]]:
    return "stores", [
        do("update", {"a": 1, "b": 1}),
        do("save"),
        do("corrupt", ""),
        do("__setitem__", "b", 2),
        do("save"),
    ]


def session_saved_at_the_moment_of_its_end() -> tuple[str, list[dict[str, Any]]]:
    change = do("__setitem__", "a", None)
    return "requests", [visit(change), visit(change, do("advance", 86400 * 14))]


def corrupt_session_saved_after_its_end() -> tuple[str, list[dict[str, Any]]]:
    return "stores", [
        do("set_expiry", timedelta(seconds=60)),
        do("save"),
        do("advance", 60),
        do("corrupt", ""),
        do("save"),
    ]


def session_with_half_a_second_left() -> tuple[str, list[dict[str, Any]]]:
    change = do("__setitem__", "a", None)
    return "requests", [visit(change, do("set_expiry", timedelta(seconds=0.5))), visit(change)]


@pytest.mark.parametrize(
    "program",
    [
        unknown_session_marked_as_modified,
        payload_corrupted_while_the_session_is_in_use,
        file_emptied_while_the_session_is_in_use,
        session_saved_at_the_moment_of_its_end,
        corrupt_session_saved_after_its_end,
        session_with_half_a_second_left,
    ],
)
def test_what_a_search_once_found_is_not_seen_again(
    laboratory: Laboratory, spelling: str, program: Callable[[], tuple[str, list[dict[str, Any]]]]
) -> None:
    rig, steps = program()
    for finding in laboratory.run(rig, spelling, steps, {}):
        assert not finding.unexplained, report(finding)


@pytest.mark.parametrize("rig", RIGS)
def test_django_and_django_are_seen_to_do_the_same(rig: str) -> None:
    """The control: chance alone makes no difference."""
    with Laboratory("file", (DJANGO, DJANGO)) as laboratory:
        search(laboratory, rig, "async", 20)
