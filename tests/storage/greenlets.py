"""A site under gevent: `python -m gevent.monkey --module tests.storage.greenlets 6379 ours:`.

Prints what it has seen of the Redis at that port, with that prefix, as JSON.
"""

from __future__ import annotations

import json
import random
import sys
from typing import Any

import django
import gevent
from django.conf import settings
from django.test import override_settings
from gevent import socket
from gevent.event import Event
from gevent.pool import Group
from gevent.server import StreamServer

from tests.fresh import DEFAULTS
from tests.patience import PATIENCE
from tests.redis_servers import PATIENT

GREENLETS = range(40)
#: Seconds by which an answer is late.
LATE = 0.05


class LateServer(StreamServer):
    """Stands before a Redis and gives its answers late."""

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), self.serve)
        self.redis = port
        self.waiting = self.most = 0
        #: The answers of so many are kept back until all of them wait.
        self.together = 0
        self.all_wait = Event()

    def serve(self, client: Any, address: Any) -> None:
        with client, socket.create_connection(("127.0.0.1", self.redis)) as server:
            while command := client.recv(65536):
                server.sendall(command)
                answer = server.recv(65536)
                self.waiting += 1
                self.most = max(self.most, self.waiting)
                if self.most >= self.together:
                    self.all_wait.set()
                self.all_wait.wait(PATIENCE)
                gevent.sleep(LATE)
                self.waiting -= 1
                client.sendall(answer)


def saved_together(store: Any) -> int:
    """How many of the greenlets that save one session have their value in it."""
    shared = store()
    shared.create()

    def save(number: int) -> None:
        session = store(shared.session_key)
        session[f"n{number}"] = number
        session.save()

    Group().map(save, GREENLETS)
    return len(list(store(shared.session_key).keys()))


def found_their_own(store: Any) -> int:
    """How many of the greenlets that visit a session of their own found that, and ended it."""

    def visit(number: int) -> bool:
        session = store()
        session["mine"] = number
        session.create()
        found = {store(session.session_key).get("mine") for _ in range(10)}
        session.flush()
        return found == {number} and store(session.session_key).load() == {}

    return sum(Group().map(visit, GREENLETS))


def cut_short(store: Any) -> int:
    """How many loads were given up between the command and its answer; half may be.

    Raises AssertionError where such an answer reached another visitor.
    """
    keys = []
    for number in GREENLETS:
        session = store()
        session["mine"] = number
        session.create()
        keys.append(session.session_key)

    def visit(number: int) -> bool:
        try:
            with gevent.Timeout(random.uniform(0, 4 * LATE) if number % 2 else None):
                assert store(keys[number]).get("mine") == number
        except gevent.Timeout:
            return True
        return False

    return sum(sum(Group().map(visit, GREENLETS)) for _ in range(5))


def wait_at_once(store: Any, late: LateServer) -> int:
    """How many of the greenlets that load a session have waited for their answers at one time."""
    late.together = len(GREENLETS) // 2 + 1
    Group().map(lambda number: store("k" * 32).load(), GREENLETS)
    return late.most


def place(port: int, prefix: str) -> dict[str, Any]:
    return {"URL": f"redis://127.0.0.1:{port}", "PREFIX": prefix, "OPTIONS": PATIENT}


def main(port: int, prefix: str) -> None:
    """Print the numbers that each of the functions above returns."""
    settings.configure(
        **DEFAULTS | {"SESSION_ENGINE": "dj_sessions.backends.redis"},
        SESSION_REDIS=place(port, prefix),
        SESSION_CONFLICT_TIMEOUT=PATIENCE,
    )
    django.setup()
    from dj_sessions.backends.redis import SessionStore as store

    seen = {"together": saved_together(store), "own": found_their_own(store)}
    late = LateServer(port)
    late.start()
    with override_settings(SESSION_REDIS=place(late.server_port, prefix)):
        seen["most at once"] = wait_at_once(store, late)
        seen["cut short"] = cut_short(store)
    print(json.dumps(seen))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
