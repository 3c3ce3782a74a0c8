"""Redis as some sites have it: a cluster, and a server that runs no scripts.

Started when a test first asks, and stopped when the process ends: few tests need them. The command
that joins the cluster comes with the server.
"""

from __future__ import annotations

import atexit
import functools
import os
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from tests import services
from tests.services import Absent, Service

MASTERS = 3
START_SECONDS = 60


def needed(find):
    """Return what ``find()`` does; skip the test where it is absent, or fail in CI."""
    try:
        return find()
    except Absent as error:
        if os.environ.get("REQUIRE_SERVICES", "0") not in ("", "0"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@functools.cache
def restricted() -> Service:
    """A server whose user "plain" may run no script."""
    (server,) = _start(1)
    with redis.Redis(port=server.port) as client:
        client.execute_command(
            *("ACL", "SETUSER", "plain", "on", ">secret", "~*", "&*", "+@all"),
            *("-@scripting", "-@dangerous"),
        )
    return server


@functools.cache
def cluster() -> Service:
    """A master of a cluster of three."""
    servers = _start(MASTERS, "--cluster-enabled", "yes", "--cluster-node-timeout", "5000")
    places = [f"127.0.0.1:{server.port}" for server in servers]
    join = [services._binary("redis-cli"), "--cluster", "create", *places, "--cluster-yes"]
    done = subprocess.run(join, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Absent(f"redis-cli --cluster create: {services._last_line(done.stdout)}")
    for server in servers:
        with redis.Redis(port=server.port) as client:
            _wait(lambda client=client: client.cluster("info")["cluster_state"] == "ok")
    return servers[0]


def _start(count: int, *options: str) -> list[Service]:
    binary = services._binary("redis-server")
    servers = []
    for _ in range(count):
        directory = Path(tempfile.mkdtemp(prefix="dj_sessions_redis_"))
        port = _port()
        command = [binary, "--bind", "127.0.0.1", "--port", str(port), *options]
        command += ["--save", "", "--appendonly", "no", "--dir", str(directory)]
        with (directory / "log").open("w") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        atexit.register(services._stop, process, signal.SIGTERM, directory, os.getpid())
        server = Service("redis", "127.0.0.1", port)
        with redis.Redis(port=port, retry=None) as client:
            _wait(client.ping)
        servers.append(server)
    return servers


def _port() -> int:
    """A port whose number leaves room for that of the cluster's bus, 10,000 above."""
    while True:
        port = services._free_port()
        if port < 55_000:
            return port


def _wait(answer) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with suppress(redis.RedisError):
            if answer():
                return
        if time.monotonic() > deadline:
            raise Absent("redis-server does not answer")
        time.sleep(0.05)
