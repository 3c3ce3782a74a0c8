"""Servers of our own for the tests of outages: one of each kind, started when first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.outages.servers import OwnServer

OPTIONS = {
    # What is acknowledged survives a kill.
    "redis": ("--appendonly", "yes", "--appendfsync", "always"),
    "memcached": ("-m", "2"),
    "postgres": (),
}


@pytest.fixture(scope="session")
def own_server() -> Iterator[Callable[[str], OwnServer]]:
    """Return our own server of a kind: postgres, redis or memcached."""
    started: dict[str, OwnServer] = {}

    def find(name: str) -> OwnServer:
        if name not in started:
            started[name] = OwnServer(name, *OPTIONS[name])
        return started[name]

    yield find
    for server in started.values():
        server.close()
