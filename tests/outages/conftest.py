"""Servers of our own for the tests of outages: one of each kind, started when first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests import services
from tests.browser.needs import missing
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
