"""A share of the parameter sets: `pytest --share 1/3`, or `pytest --slow-share 1/3`.

A test without parameters is in every share. Of each test with parameters a share has its part of
the sets, and one at least, so that no test is left out. A seed draws them: with the same seed the
shares 1/3, 2/3 and 3/3 have every set between them, and none twice where there are three or more.
`--slow-share` is for the tests that are marked slow or thorough, and the others run whole.

The seed is `--share-seed`, or SHARE_SEED in the environment, or a new one in each run. The head of
the report names it.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from argparse import ArgumentTypeError
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

SEED = "SHARE_SEED"
#: The marks of the tests that `--slow-share` is for.
SLOW = ("slow", "thorough")
WHOLE = "1/1"


@dataclass(frozen=True)
class Share:
    """The share `number` of `count`, counted from 1."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, sets: Iterable[str], seed: str) -> set[str]:
        """Those of a test's parameter sets, told by their node ids, that this share has."""
        drawn = sorted(set(sets), key=lambda name: _draw(seed, name))
        mine = (self.number - 1) % min(self.count, len(drawn))
        return set(drawn[mine :: self.count])


def _draw(seed: str, name: str) -> bytes:
    return hashlib.sha256(f"{seed} {name}".encode()).digest()


def share(text: str) -> Share:
    """The share that is written as 2/3."""
    written = re.fullmatch(r"(\d+)/(\d+)", text)
    if not written or not 1 <= int(written[1]) <= int(written[2]):
        raise ArgumentTypeError(f"{text!r} is no share such as 1/3, 2/3 or 3/3")
    return Share(int(written[1]), int(written[2]))


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("sampling")
    group.addoption("--share", type=share, default=WHOLE, help="a share of the parameter sets: 1/3")
    group.addoption("--slow-share", type=share, default=WHOLE, help="that of the slow tests alone")
    group.addoption("--share-seed", default=_seed(), help=f"what draws it; else {SEED}, else new")


def _seed() -> str:
    # In the environment, which the workers of pytest-xdist inherit: all draw the same.
    os.environ[SEED] = os.environ.get(SEED) or str(secrets.randbelow(1_000_000))
    return os.environ[SEED]


def pytest_report_header(config: pytest.Config) -> str | None:
    asked = {"--share": config.option.share, "--slow-share": config.option.slow_share}
    given = [f"{option}={chosen}" for option, chosen in asked.items() if chosen.count > 1]
    if not given:
        return None
    seed = config.option.share_seed
    return f"a share of each test's parameter sets: {' '.join(given)} --share-seed={seed}"


@pytest.hookimpl(trylast=True)  # after the selection by marks and words: one set of each test stays
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    sets = defaultdict(list)
    for item in items:
        sets[_test(item), _share_for(item)].append(item.nodeid)
    seed = config.option.share_seed
    kept = {name for (_, chosen), names in sets.items() for name in chosen.of(names, seed)}
    if left_out := [item for item in items if item.nodeid not in kept]:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item.nodeid in kept]


def _share_for(item: pytest.Item) -> Share:
    of_slow: Share = item.config.option.slow_share
    is_slow = any(item.get_closest_marker(name) for name in SLOW)
    return of_slow if is_slow and of_slow.count > 1 else item.config.option.share


def _test(item: pytest.Item) -> str:
    """The node id without the parameters."""
    parameters = getattr(item, "callspec", None)
    return item.nodeid.removesuffix(f"[{parameters.id}]") if parameters else item.nodeid
