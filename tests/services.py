"""Find or start the servers that the tests talk to.

A server is used where it answers, else started from its binary in a temporary directory and
stopped at exit, else absent with a reason in words. What was found is handed down to child
processes (xdist workers, sites under test) in one environment variable, so a run starts each
server once. Every run on a machine holds a slot of its own: the number in the names of its test
databases, so that runs side by side do not meet and a killed run leaves nothing that piles up.

Addresses, with the servers' usual ports as defaults:

    POSTGRES_HOST  POSTGRES_PORT  POSTGRES_USER  POSTGRES_PASSWORD
    MARIADB_HOST   MARIADB_PORT   MARIADB_USER   MARIADB_PASSWORD
    REDIS_HOST     REDIS_PORT     REDIS_USER     REDIS_PASSWORD    REDIS_DB (15)
    MEMCACHED_HOST MEMCACHED_PORT

With REQUIRE_SERVICES=1 the test run refuses to start while one is absent.
"""

from __future__ import annotations

import atexit
import fcntl
import functools
import getpass
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

HANDED_DOWN = "DJ_SESSIONS_TEST_RUN"
START_SECONDS = 60
#: The first port that servers of the tests are given, and how far above is that of a cluster's bus.
LOWEST_PORT, BUS = 10_240, 10_000
#: The ports that this process was given.
_ports: set[int] = set()
REDIS_DB = int(os.environ.get("REDIS_DB", "15"))


class Absent(Exception):
    """A server can be neither reached nor started; the message says why."""


@dataclass(frozen=True)
class Service:
    """One server: where it is, or (when `reason` is set) why there is none. Absent is false."""

    name: str
    host: str
    port: int
    user: str = ""
    password: str = ""
    version: str = ""
    origin: str = ""
    reason: str = ""

    def __bool__(self) -> bool:
        return not self.reason

    def __str__(self) -> str:
        if self.reason:
            return f"{self.name} absent: {self.reason}"
        return f"{self.name} {self.version}, {self.origin} {self.host}:{self.port}"


@dataclass(frozen=True)
class Run:
    """What the processes of one test run share."""

    slot: int
    services: dict[str, Service]

    @property
    def directory(self) -> Path:
        return _directory()

    @property
    def database_name(self) -> str:
        return f"test_dj_sessions_{self.slot}"

    @property
    def missing(self) -> list[Service]:
        return [service for service in self.services.values() if not service]


# -- asking: one call that answers with the version or raises what the client library raises


def ask_postgres(at: Service) -> str:
    import psycopg

    login = {"user": at.user, "password": at.password or None, "dbname": "postgres"}
    with psycopg.connect(host=at.host, port=at.port, connect_timeout=3, **login) as connection:
        rights = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
        if not connection.execute(rights).fetchone()[0]:
            raise Absent(f"the user {at.user!r} may not create databases")
        return str(connection.info.parameter_status("server_version")).split()[0]


def ask_mariadb(at: Service) -> str:
    import pymysql

    login = {"user": at.user, "password": at.password}
    connection = pymysql.connect(host=at.host, port=at.port, connect_timeout=3, **login)
    with connection, connection.cursor() as cursor:
        probe = f"test_dj_sessions_probe_{os.getpid()}"
        cursor.execute(f"CREATE DATABASE {probe}")
        cursor.execute(f"DROP DATABASE {probe}")
        # MariaDB 10 announces itself as a 5.5.5 to old replicas.
        return str(connection.get_server_info()).removeprefix("5.5.5-")


def ask_redis(at: Service) -> str:
    import redis

    login = {"username": at.user or None, "password": at.password or None, "db": REDIS_DB}
    with redis.Redis(host=at.host, port=at.port, socket_connect_timeout=3, **login) as client:
        return str(client.info("server")["redis_version"])


def ask_memcached(at: Service) -> str:
    from pymemcache.client.base import Client

    client = Client((at.host, at.port), connect_timeout=3, timeout=3)
    try:
        return client.version().decode()
    finally:
        client.close()


# -- starting: the commands to run in a directory of its own, the last of which is the server


def start_postgres(directory: Path, at: Service) -> list[list[str]]:
    data = str(directory / "data")
    options = [f"listen_addresses={at.host}", f"unix_socket_directories={directory}", "fsync=off"]
    # Some tests have a connection for each of many threads, in each of several workers.
    options.append("max_connections=400")
    initdb = [_binary("initdb"), "-D", data, "-U", at.user, "-E", "UTF8", "--locale=C"]
    server = [_binary("postgres"), "-D", data, "-p", str(at.port)]
    for option in options:
        server += ["-c", option]
    return [[*initdb, "--auth=trust", "--no-sync"], server]


def start_mariadb(directory: Path, at: Service) -> list[list[str]]:
    shared = ["--no-defaults", f"--datadir={directory / 'data'}", f"--user={getpass.getuser()}"]
    install = [_binary("mariadb-install-db"), *shared, "--skip-test-db"]
    server = [_binary("mariadbd"), *shared, f"--bind-address={at.host}", f"--port={at.port}"]
    files = [f"--socket={directory / 'socket'}", f"--pid-file={directory / 'pid'}"]
    quick = ["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M"]
    quick.append("--max-connections=400")  # as with PostgreSQL
    return [[*install, "--auth-root-authentication-method=normal"], [*server, *files, *quick]]


def start_redis(directory: Path, at: Service) -> list[list[str]]:
    address = ["--bind", at.host, "--port", str(at.port)]
    no_disk = ["--save", "", "--appendonly", "no", "--dir", str(directory)]
    return [[_binary("redis-server"), *address, *no_disk]]


def start_memcached(directory: Path, at: Service) -> list[list[str]]:
    # memcached refuses to run as root unless told that this is meant.
    address = ["-l", at.host, "-p", str(at.port), "-U", "0", "-u", getpass.getuser()]
    return [[_binary("memcached"), *address]]


@dataclass(frozen=True)
class Kind:
    name: str
    port: int
    user: str
    ask: Callable[[Service], str]
    start: Callable[[Path, Service], list[list[str]]]
    stop: signal.Signals = signal.SIGTERM
    root: bool = True


KINDS = (
    # SIGINT: PostgreSQL answers SIGTERM by waiting until its last client has gone.
    Kind("postgres", 5432, getpass.getuser(), ask_postgres, start_postgres, signal.SIGINT, False),
    Kind("mariadb", 3306, "root", ask_mariadb, start_mariadb),
    Kind("redis", 6379, "", ask_redis, start_redis),
    Kind("memcached", 11211, "", ask_memcached, start_memcached),
)


@functools.cache
def run() -> Run:
    """This run's slot and servers, found or started on the first call."""
    handed_down = os.environ.get(HANDED_DOWN)
    if handed_down:
        state = json.loads(handed_down)
        services = {name: Service(**values) for name, values in state["services"].items()}
        return Run(state["slot"], services)
    found = Run(_claim_slot(), {kind.name: find(kind) for kind in KINDS})
    state = {"slot": found.slot, "services": {k: asdict(v) for k, v in found.services.items()}}
    os.environ[HANDED_DOWN] = json.dumps(state)
    return found


def find(kind: Kind) -> Service:
    """The server of this kind: the one that answers, else a new one, else the reasons."""

    def told(what: str, default: str) -> str:
        return os.environ.get(f"{kind.name.upper()}_{what}", default)

    at = Service(kind.name, told("HOST", "127.0.0.1"), int(told("PORT", str(kind.port))))
    at = replace(at, user=told("USER", kind.user), password=told("PASSWORD", ""))
    try:
        return replace(at, version=_ask(kind, at), origin="answers at")
    except ImportError as error:
        return replace(at, reason=f"the Python package {error.name} is not installed")
    except Exception as error:  # noqa: BLE001 - whatever a client library calls "no answer"
        silence = f"{at.host}:{at.port} is no use: {_in_words(error)}"
    try:
        return _start(kind)
    except Absent as error:
        return replace(at, reason=f"{silence}; none was started: {error}")


def _ask(kind: Kind, at: Service) -> str:
    # Knock first: client libraries retry, and wrap what they met in words of their own.
    if not at.host.startswith("/"):
        socket.create_connection((at.host, at.port), timeout=3).close()
    return kind.ask(at)


def _start(kind: Kind) -> Service:
    directory = Path(tempfile.mkdtemp(prefix=f"dj_sessions_{kind.name}_"))
    at = Service(kind.name, "127.0.0.1", free_port(), user=kind.user)
    # PostgreSQL refuses root; root may become somebody else for it.
    other = {} if kind.root or os.geteuid() else _somebody_else(directory)
    server = None
    try:
        *preparations, command = kind.start(directory, at)
        for preparation in preparations:
            done = subprocess.run(
                preparation, cwd=directory, capture_output=True, text=True, check=False, **other
            )
            if done.returncode:
                raise Absent(f"{preparation[0]}: {_last_line(done.stderr or done.stdout)}")
        with (directory / "log").open("w") as log:
            server = subprocess.Popen(
                command, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **other
            )
        version = _wait(kind, at, server, directory)
    except BaseException:
        _stop(server, kind.stop, directory)
        raise
    atexit.register(_stop, server, kind.stop, directory, os.getpid())
    return replace(at, version=version, origin=f"started from {command[0]} at")


def _wait(kind: Kind, at: Service, server: subprocess.Popen[bytes], directory: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return _ask(kind, at)
        except Exception as error:  # not up yet, in whatever words
            log = (directory / "log").read_text(errors="replace")
            if server.poll() is not None:
                raise Absent(f"{server.args[0]} ended at once: {_last_line(log)}") from error
            if time.monotonic() > deadline:
                raise Absent(f"{server.args[0]} does not answer: {_in_words(error)}") from error
        time.sleep(0.05)


def _stop(
    server: subprocess.Popen[bytes] | None, how: int, directory: Path, owner: int | None = None
) -> None:
    if owner not in (None, os.getpid()):
        return  # a forked child ends; the server stays its parent's
    if server is not None and server.poll() is None:
        server.send_signal(how)
        server.send_signal(signal.SIGCONT)  # to one that a test has stopped
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    shutil.rmtree(directory, ignore_errors=True)


def _claim_slot() -> int:
    """The lowest number that no other run holds; the kernel gives it back when we die."""
    for slot in range(100):
        lock = os.open(_directory() / f"{slot}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
        else:
            return slot  # the descriptor stays open, and with it the lock
    raise RuntimeError(f"100 test runs hold a lock in {_directory()}")


def _directory() -> Path:
    # Not tempfile's directory: runs with different TMPDIRs use the same database servers.
    path = Path("/tmp") / f"dj_sessions_tests_{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def _binary(name: str) -> str:
    # Debian keeps servers where an ordinary user's PATH does not look.
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    places = [os.environ.get("PATH", os.defpath), "/usr/sbin", *map(str, versions)]
    found = shutil.which(name, path=os.pathsep.join(places))
    if not found:
        raise Absent(f"no {name} on PATH")
    return found


def _somebody_else(directory: Path) -> dict[str, object]:
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        os.chown(directory, user.pw_uid, user.pw_gid)
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise Absent("PostgreSQL refuses to run as root, and there is no user postgres or nobody")


def free_port() -> int:
    """A port on which nobody listens, and that nobody else is given who runs these tests.

    Not one of those from which the kernel takes the near end of a connection: whichever was free a
    moment ago, some client may have before the server is up. There is another one 10,000 above it,
    where the servers of a cluster of Redis meet.
    """
    while True:
        # Not as the test's seed says, which is that of all workers.
        port = random.SystemRandom().randrange(LOWEST_PORT, _first_of_clients() - BUS)
        if _is_ours(port) and all(map(_is_free, (port, port + BUS))):
            return port


def _first_of_clients() -> int:
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        first = 0
    return max(first, LOWEST_PORT + 2 * BUS)


def _is_ours(port: int) -> bool:
    """Take the port for this process, which holds a lock on its byte of a file while it lives."""
    if port in _ports:
        return False
    try:
        fcntl.lockf(_file_of_ports(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _ports.add(port)
    return True


@functools.cache
def _file_of_ports() -> int:
    return os.open(_directory() / "ports.lock", os.O_CREAT | os.O_RDWR, 0o600)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _in_words(error: Exception) -> str:
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return _last_line(words) or type(error).__name__


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1].strip()
