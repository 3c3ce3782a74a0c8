"""Measure `movesessions` from PostgreSQL to Redis, beside a process that keeps saving sessions.

    python -m tests.moving.measure --sessions 1000000

This makes a database, fills it with live sessions, starts a process that loads and saves sessions
drawn from all of them, one after the other, and runs `manage.py movesessions` in another. It prints
one line of JSON: the seconds of the command and the sessions in a second; its memory (MB) when it
began, in the middle and at the end, and the peak; the saves beside it: how many, the slowest
and the 99th percentile in milliseconds, and the errors; what is left in PostgreSQL and what is in
Redis. `--alone` leaves out the process that saves; `--idle` SECONDS leaves out the command, to see
what saves take without it. `--carriers` N runs so many commands at once, each beginning elsewhere.
`--option` is for the command.

The entries in Redis have a prefix of their own, and are removed in the end.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from itertools import cycle
from typing import Any

from tests import services
from tests.clearing.measure import BREATH, administer

NAME = f"dj_sessions_moving_{os.getpid()}"
#: Of all sessions, so many are saved by turns.
VISITED = 200_000
ENGINES = "dj_sessions.backends"
FILL = """
    INSERT INTO django_session (session_key, session_data, expire_date)
    SELECT md5(i::text || random()::text), %s, now() + (1 + random() * 13) * interval '1 day'
    FROM generate_series(1, %s) AS i"""


def place() -> dict[str, Any]:
    """Return the settings of this run, which its processes share."""
    at, redis = services.run().services["postgres"], services.run().services["redis"]
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": NAME,
        "HOST": at.host,
        "PORT": at.port,
        "USER": at.user,
        "PASSWORD": at.password,
    }
    login = f"{redis.user}:{redis.password}@" if redis.password else ""
    url = f"redis://{login}{redis.host}:{redis.port}/{services.REDIS_DB}"
    return {
        "DATABASES": {"default": database},
        "SESSION_REDIS": {"URL": url, "PREFIX": f"{NAME}:", "OPTIONS": {"socket_timeout": 20}},
    }


def set_up(at: dict[str, Any]) -> None:
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="a key for measuring, as long as keys are: 0123456789 0123456789 0123456789",
        INSTALLED_APPS=["dj_sessions"],
        USE_TZ=True,
        SESSION_ENGINE=f"{ENGINES}.moving",
        SESSION_MOVE={"FROM": f"{ENGINES}.db", "TO": f"{ENGINES}.redis"},
        **at,
    )
    django.setup()


# -- the processes


def prepare(sessions: int) -> None:
    from django.core.management import call_command
    from django.db import connection

    from dj_sessions.backends import db

    call_command("migrate", verbosity=0)
    login = {"_auth_user_id": "12345", "_auth_user_backend": "b", "_auth_user_hash": "f" * 64}
    data = db.SessionStore().encode({**login, "cart": list(range(20))})
    with connection.cursor() as cursor:
        cursor.execute(FILL, [data, sessions])
        cursor.execute("VACUUM ANALYZE django_session")


def save_until_told() -> None:
    """Save sessions until SIGTERM; print the milliseconds of each save, and the errors."""
    from dj_sessions.backends.db import SessionStore as Rows
    from dj_sessions.backends.moving import SessionStore

    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))
    rows = Rows.get_model_class().objects.order_by("?").values_list("pk", flat=True)
    keys = list(rows[:VISITED])
    print("ready", flush=True)
    taken, errors = [], Counter[str]()
    for key in cycle(keys):
        if stopped:
            break
        began = time.perf_counter()
        try:
            session = SessionStore(key)
            session["n"] = session.get("n", 0) + 1
            session.save()
        except Exception as error:  # noqa: BLE001 - counted, whatever it is
            errors[f"{type(error).__name__}: {error}"] += 1
        taken.append((time.perf_counter() - began) * 1000)
        time.sleep(BREATH)
    print(json.dumps({"taken": taken, "errors": dict(errors)}))


def move(options: list[str]) -> None:
    """Run the command; print its seconds, and its memory (MB) meanwhile."""
    from django.core.management import call_command

    sizes, over = [], threading.Event()

    def watch() -> None:
        while not over.wait(0.25):
            sizes.append(_resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    try:
        call_command("movesessions", *options, stdout=sys.stderr)
    finally:
        over.set()
        watcher.join()
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    tenth = len(sizes) // 10
    memory = {"start": sizes[tenth], "middle": sizes[len(sizes) // 2], "end": sizes[-1]}
    print(json.dumps({"seconds": seconds, "memory": {**memory, "peak": peak}}))


def _resident() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def count() -> None:
    """Print what is left in the source, and what is in the target; remove that."""
    from dj_sessions.backends import db, redis

    storage = redis.SessionStore().get_storage()
    left = db.SessionStore.get_model_class()._base_manager.count()
    listed = moved = size = 0
    for names in storage.names(1000):
        listed += len(names)
        moved += sum(
            record is not None for record in storage.many("read_whole", [(n,) for n in names])
        )
        if not size:
            size = storage.server.send("MEMORY", "USAGE", storage.name_of(names[0]))
        storage.server.send("UNLINK", *map(storage.name_of, names))
    print(json.dumps({"left": left, "in_redis": moved, "bytes_in_redis": size}))


# -- one run


def child(role: str, at: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.moving.measure", "--role", role, "--at", at, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def measure(
    sessions: int, options: list[str], carriers: int, *, alone: bool, idle: float = 0
) -> dict[str, Any]:
    administer("postgres", f"CREATE DATABASE {NAME}")
    at, saver, saved = json.dumps(place()), None, None
    try:
        with child("prepare", at, "--sessions", str(sessions)) as preparer:
            assert preparer.wait() == 0
        if not alone:
            saver = child("save", at)
            assert saver.stdout is not None
            assert saver.stdout.readline() == "ready\n"
            time.sleep(1)
        time.sleep(idle)
        carriers *= not idle
        # A key is hexadecimal: each begins at another first character.
        begins = [f"{16 * number // carriers:x}" * bool(number) for number in range(carriers)]
        more = [f"--option={option}" for option in options]
        movers = [
            child("move", at, *more, *([f"--option=--after={begin}"] if begin else []))
            for begin in begins
        ]
        ends = [json.loads(mover.communicate()[0]) for mover in movers]
        if saver is not None:
            saver.terminate()
            saved = json.loads(saver.communicate()[0])
        with child("count", at) as counter:
            found = json.loads(counter.communicate()[0])
    finally:
        if saver is not None:
            saver.kill()
        administer("postgres", f"DROP DATABASE {NAME} WITH (FORCE)")
    stalls = _stalls(saved) if saved else {}
    if not ends:
        return stalls
    seconds = max(end["seconds"] for end in ends)
    moved = found["in_redis"]
    figures = {"sessions": sessions, "seconds": seconds, "per_second": moved / seconds, **found}
    return {**figures, "memory_mb": ends[0]["memory"], **stalls}


def _stalls(saved: dict[str, Any]) -> dict[str, Any]:
    taken = saved["taken"]
    return {
        "saves": len(taken),
        "worst_ms": max(taken),
        "p99_ms": statistics.quantiles(taken, n=100)[98],
        "median_ms": statistics.median(taken),
        "over_100_ms": sum(each > 100 for each in taken),
        "errors": saved["errors"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--carriers", type=int, default=1, help="commands at once")
    parser.add_argument("--alone", action="store_true", help="nobody saves beside it")
    parser.add_argument("--idle", type=float, default=0, help="seconds without the command")
    parser.add_argument("--option", action="append", default=[], help="of the command")
    roles = ["prepare", "save", "move", "count"]
    parser.add_argument("--role", choices=roles, help=argparse.SUPPRESS)
    parser.add_argument("--at", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.role is None:
        figures = measure(
            *(chosen.sessions, chosen.option, chosen.carriers),
            alone=chosen.alone,
            idle=chosen.idle,
        )
        print(json.dumps(figures, default=str))
        return
    set_up(json.loads(chosen.at))
    if chosen.role == "prepare":
        prepare(chosen.sessions)
    elif chosen.role == "save":
        save_until_told()
    elif chosen.role == "move":
        move(chosen.option)
    else:
        count()


if __name__ == "__main__":
    main()
