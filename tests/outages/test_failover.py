"""The `redis` engine while its server is killed and started again, or another takes its place."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from typing import Any

import pytest
import redis
from django.http import HttpResponse
from django.test import RequestFactory, override_settings

from dj_sessions.backends import moving
from dj_sessions.backends import redis as engine
from dj_sessions.exceptions import SessionConflict
from dj_sessions.middleware import SessionMiddleware
from tests import redis_servers
from tests.outages.test_restarts import Visitor, under_load
from tests.patience import PATIENCE
from tests.services import Service

pytestmark = [
    # Whose connections of earlier tests each request looks at.
    pytest.mark.usefixtures("databases"),
    pytest.mark.usual_limits,  # a server that hangs is noticed
]


class AsyncVisitor(Visitor):
    """The same in an event loop of its own, in which the client is kept."""

    def run(self) -> None:
        self.middleware = SessionMiddleware(self.aview)
        asyncio.run(self.visit())

    async def aview(self, request: Any) -> HttpResponse:
        await request.session.aget(self.name)
        return self.view(request)

    async def visit(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self.stop.is_set() and time.monotonic() < deadline:
            request = RequestFactory().get("/")
            request.COOKIES["sessionid"] = self.cookie
            try:
                response = await self.middleware(request)
            except SessionConflict:
                continue
            except Exception as error:  # noqa: BLE001 - judged by its class
                self.note(error)
                await asyncio.sleep(0.02)
            else:
                self.answered += 1
                self.acknowledged = self.tried
                if response.cookies["sessionid"].value != self.cookie:
                    self.wrong.append("another cookie")


class Master:
    """The one of some servers that has the only session there is, and the signal that ends it."""

    def __init__(self, servers: list[Service], end: signal.Signals) -> None:
        self.servers = servers
        self.end = end

    def kill(self) -> None:
        for server in self.servers:
            with redis.Redis(port=server.port) as client:
                if client.info("replication")["role"] == "master" and client.dbsize():
                    redis_servers.wait_for_replica(client)
                    os.kill(client.info("server")["process_id"], self.end)


#: The process is gone, or it hangs: connections to it stay open, and new ones are accepted.
ends = pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP], ids=lambda end: end.name)


def test_the_server_is_killed_and_started_again(own_server):
    server = own_server("redis")
    config = {"URL": f"redis://127.0.0.1:{server.at.port}", "PREFIX": "restarted:"}
    with override_settings(SESSION_ENGINE=engine.__name__, SESSION_REDIS=config):
        under_load(server, engine, AsyncVisitor)


def test_so_is_the_server_that_sessions_move_to(own_server, tmp_path):
    server = own_server("redis")
    names = {"FROM": "dj_sessions.backends.file", "TO": engine.__name__}
    with override_settings(
        SESSION_ENGINE=moving.__name__,
        SESSION_MOVE=names,
        SESSION_FILE_PATH=tmp_path,
        SESSION_REDIS={"URL": f"redis://127.0.0.1:{server.at.port}", "PREFIX": "moved:"},
    ):
        under_load(server, moving, AsyncVisitor)
    assert not list(tmp_path.iterdir())


@ends
def test_a_replica_takes_the_place_of_the_master_that_sentinel_watches(end):
    watcher, servers = redis_servers.needed(redis_servers.sentinel.__wrapped__)
    sentinels = [f"127.0.0.1:{watcher.port}"]
    config = {"SENTINEL": {"SENTINELS": sentinels, "SERVICE": redis_servers.SERVICE}}
    with override_settings(SESSION_ENGINE=engine.__name__, SESSION_REDIS=config):
        under_load(Master(servers, end), engine, AsyncVisitor, restart=False)


@ends
# redis-py leaves what it knew of the nodes, with their connections, to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_replica_takes_the_place_of_a_node_of_a_cluster(end):
    servers = redis_servers.needed(lambda: redis_servers.cluster_of(6, replicas=1))
    config = {"CLUSTER": [f"127.0.0.1:{server.port}" for server in servers]}
    with override_settings(SESSION_ENGINE=engine.__name__, SESSION_REDIS=config):
        under_load(Master(servers, end), engine, AsyncVisitor, restart=False)
    gc.collect()
