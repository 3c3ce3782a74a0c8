"""Pairs of sites, one on Django's sessions and one on ours, over the same stores."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.interop.places import DJANGO, OURS, SHARED, Place, prepared
from tests.interop.processes import Worker

COMMANDS = "tests.interop.commands"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test in every place, or in those of the engines of its mark `stores`."""
    if "place" in metafunc.fixturenames:
        engines = {e for mark in metafunc.definition.iter_markers("stores") for e in mark.args}
        cases = [case for case in SHARED if not engines or case.engine in engines]
        names = [case.name for case in cases]
        metafunc.parametrize("place", cases, indirect=True, scope="session", ids=names)


@pytest.fixture(scope="session")
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A database, cache or directory that two processes can share, empty."""
    if request.param.missing:
        pytest.skip(request.param.missing)
    with prepared(request.param) as place:
        yield place


@pytest.fixture(scope="session")
def sites(place: Place) -> Iterator[dict[str, Worker]]:
    """A site on each package, by the package's name: separate processes, one place."""
    with Worker(COMMANDS, place.site(DJANGO)) as django, Worker(COMMANDS, place.site(OURS)) as ours:
        django.ask("manage", arguments=["migrate"])
        yield {DJANGO: django, OURS: ours}


@pytest.fixture(
    params=[(DJANGO, OURS), (OURS, DJANGO)],
    ids=["django-writes-ours-reads", "ours-writes-django-reads"],
)
def writer_and_reader(request: pytest.FixtureRequest, sites: dict[str, Worker]) -> Any:
    return [sites[root] for root in request.param]


@pytest.fixture
def writer(writer_and_reader: list[Worker]) -> Worker:
    return writer_and_reader[0]


@pytest.fixture
def reader(writer_and_reader: list[Worker]) -> Worker:
    return writer_and_reader[1]


@pytest.fixture(params=["sync", "async"])
def spelling(request: pytest.FixtureRequest) -> str:
    """Whether both sides call the methods or their async twins."""
    return str(request.param)
