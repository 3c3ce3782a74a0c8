"""Servers of our own for the tests of outages: one of each kind, started when first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import services
from tests.browser.needs import missing
from tests.outages.places import Place, place
from tests.outages.servers import OwnServer

OPTIONS = {
    # What is acknowledged survives a kill.
    "redis": ("--appendonly", "yes", "--appendfsync", "always"),
    "memcached": ("-m", "2"),
    "postgres": (),
}


@pytest.fixture(scope="session")
def own_server() -> Iterator[Callable[..., OwnServer]]:
    """Return our own server of a kind: postgres, redis or memcached; with a number, another one."""
    started: dict[tuple[str, int], OwnServer] = {}

    def find(name: str, number: int = 1) -> OwnServer:
        if (name, number) not in started:
            try:
                started[name, number] = OwnServer(name, *OPTIONS[name])
            except services.Absent as reason:
                missing(f"{name}: {reason}")
        return started[name, number]

    yield find
    for server in started.values():
        server.close()


@pytest.fixture
def where(
    cache: str,
    databases: None,
    fresh_caches: str,
    own_server: Callable[[str], OwnServer],
    tmp_path: Path,
) -> Iterator[Place]:
    """``cached_db`` on SQLite, with copies in a ``cache`` of the test's own that it may stop."""
    server = own_server("memcached" if cache == "Memcached" else "redis")
    with place("cached_db", tmp_path, database="SQLite", cache=cache, cache_server=server) as made:
        yield made
