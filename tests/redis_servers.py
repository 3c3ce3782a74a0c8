"""Redis as some sites have it: a cluster, Sentinel, and a server that runs no scripts.

Started when a test first asks, and stopped when the process ends: few tests need them. The command
that joins the cluster comes with the server.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis
import trustme
from django.conf import settings

from tests import services
from tests.services import Absent, Service

#: For a machine that does many things at a time: what is said of the usual limits is tested apart.
PATIENT = {"socket_timeout": 20, "socket_connect_timeout": 20}
MASTERS = 3
#: Milliseconds after which another server takes the place of one that is silent. A busy machine has
#: any of them stand still for a second, and who is replaced then loses what it was told meanwhile.
SILENT = 4000
START_SECONDS = 60


def needed(find):
    """Return what ``find()`` does; skip the test where it is absent, or fail in CI."""
    try:
        return find()
    except Absent as error:
        if os.environ.get("REQUIRE_SERVICES", "0") not in ("", "0"):
            pytest.fail(str(error))
        pytest.skip(str(error))


def plain() -> str:
    """The address of the Redis that the tests have."""
    service = services.run().services["redis"]
    if not service:
        raise Absent(str(service))
    return str(settings.CACHES["redis"]["LOCATION"])


def place(words: Collection[str]) -> dict[str, Any]:
    """What SESSION_REDIS says of the Redis that a run asks for, by default the single server."""
    if "redis-cluster" in words:
        return {"CLUSTER": [f"127.0.0.1:{cluster().port}"]}
    if "redis-sentinel" in words:
        watcher, _ = sentinel()
        asked = {"SENTINELS": [("127.0.0.1", watcher.port)], "SERVICE": SERVICE}
        return {"SENTINEL": asked | {"OPTIONS": PATIENT}}
    return {"URL": plain()}


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


@contextmanager
def full(server: Service) -> Iterator[None]:
    """The server has no memory left for anything new."""
    with redis.Redis(port=server.port) as admin:
        admin.config_set("maxmemory", 1)
        try:
            yield
        finally:
            admin.config_set("maxmemory", 0)


@functools.cache
def encrypted() -> tuple[int, Path]:
    """The port of a server at which it asks for TLS and the client's certificate.

    Both have the same, cert.pem with key.pem in the directory; it is signed by ca.pem.
    """
    home = Path(tempfile.mkdtemp(prefix="dj_sessions_tls_"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    authority = trustme.CA()
    identity = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(home / "ca.pem")
    identity.private_key_pem.write_to_path(home / "key.pem")
    identity.cert_chain_pems[0].write_to_path(home / "cert.pem")
    files = {"ca-cert": "ca", "cert": "cert", "key": "key"}
    options = [(f"--tls-{name}-file", str(home / f"{file}.pem")) for name, file in files.items()]
    port = services.free_port()
    _start(1, "--tls-port", str(port), *itertools.chain.from_iterable(options))
    return port, home


@functools.cache
def cluster() -> Service:
    """A master of a cluster of three."""
    return cluster_of(MASTERS)[0]


def cluster_of(count: int, replicas: int = 0) -> list[Service]:
    """The servers of a new cluster; a master that is silent is replaced, where it has a replica."""
    servers = _start(count, "--cluster-enabled", "yes", "--cluster-node-timeout", str(SILENT))
    places = [f"127.0.0.1:{server.port}" for server in servers]
    join = [services._binary("redis-cli"), "--cluster", "create", *places, "--cluster-yes"]
    join += ["--cluster-replicas", str(replicas)]
    done = subprocess.run(join, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Absent(f"redis-cli --cluster create: {services._last_line(done.stdout)}")
    for server in servers:
        with redis.Redis(port=server.port) as client:
            _wait(lambda client=client: client.cluster("info")["cluster_state"] == "ok")
            _wait(lambda client=client: _has_its_copy(client.info("replication")))
    return servers


def _has_its_copy(facts) -> bool:
    """Whether a server is a master, or a replica that could take its place."""
    return facts["role"] == "master" or facts["master_link_status"] == "up"


#: The name of what the Sentinels watch.
SERVICE = "sessions"


@functools.cache
def sentinel() -> tuple[Service, list[Service]]:
    """A Sentinel, and a master with its replica."""
    master, replica = _start(2)
    with redis.Redis(port=replica.port) as client:
        client.replicaof("127.0.0.1", master.port)
        _wait(lambda: _has_its_copy(client.info("replication")))
    (watcher,) = _start(1, sentinel=True)
    with redis.Redis(port=watcher.port) as client:
        client.execute_command("SENTINEL", "MONITOR", SERVICE, "127.0.0.1", master.port, 1)
        client.execute_command("SENTINEL", "SET", SERVICE, "down-after-milliseconds", SILENT)
        client.execute_command("SENTINEL", "SET", SERVICE, "failover-timeout", 5000)
        _wait(lambda: client.sentinel_slaves(SERVICE))
    return watcher, [master, replica]


def wait_for_replica(client: redis.Redis) -> None:
    """Wait until a replica of this master has what there is now."""
    told = client.info("replication")["master_repl_offset"]
    _wait(lambda: any(copy["offset"] >= told for copy in _replicas(client)))


def _replicas(client: redis.Redis) -> list[dict[str, Any]]:
    facts = client.info("replication")
    return [facts[f"slave{number}"] for number in range(facts["connected_slaves"])]


def _start(count: int, *options: str, sentinel: bool = False) -> list[Service]:
    binary = services._binary("redis-server")
    servers = []
    for _ in range(count):
        directory = Path(tempfile.mkdtemp(prefix="dj_sessions_redis_"))
        port = services.free_port()
        command = [binary]
        if sentinel:
            (directory / "sentinel.conf").touch()  # in which it keeps what it finds out
            command += [str(directory / "sentinel.conf"), "--sentinel"]
        command += ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory), *options]
        if not sentinel:
            command += ["--save", "", "--appendonly", "no"]
        with (directory / "log").open("w") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        atexit.register(services._stop, process, signal.SIGTERM, directory, os.getpid())
        server = Service("redis", "127.0.0.1", port)
        with redis.Redis(port=port, retry=None) as client:
            _wait(client.ping, process, directory)
        servers.append(server)
    return servers


def _wait(answer, process=None, directory=None) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with suppress(redis.RedisError):
            if answer():
                return
        if process is not None and process.poll() is not None:
            log = (directory / "log").read_text(errors="replace")
            raise Absent(f"redis-server ended at once: {services._last_line(log)}")
        if time.monotonic() > deadline:
            raise Absent("redis-server does not answer")
        time.sleep(0.05)
