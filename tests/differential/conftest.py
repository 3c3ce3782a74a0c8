"""The two sides of each engine, and the seed of the random programs."""

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.differential.laboratory import Laboratory

# Fixed, so that a run fails for what was changed and not by chance; a search takes its own.
SEED = int(os.environ.get("DIFFERENTIAL_SEED") or 20_080_903)

ENGINES = ("db", "cache", "cached_db", "file", "signed_cookies")


@pytest.fixture(scope="session")
def laboratories() -> Iterator[Callable[[str], Laboratory]]:
    """One laboratory for each engine, opened when first asked for."""
    with ExitStack() as stack:
        yield functools.cache(lambda engine: stack.enter_context(Laboratory(engine)))


@pytest.fixture(params=ENGINES)
def laboratory(
    request: pytest.FixtureRequest, laboratories: Callable[[str], Laboratory]
) -> Laboratory:
    return laboratories(request.param)


@pytest.fixture(params=["sync", "async"])
def spelling(request: pytest.FixtureRequest) -> str:
    """Whether programs call the methods or their async twins."""
    return str(request.param)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"differential programs: DIFFERENTIAL_SEED={SEED}")
