"""Measure `clearsessions` beside a process that keeps saving live sessions.

    python -m tests.clearing.measure sqlite postgres mariadb --rows 200000

For each database and each package (Django's, then ours) this makes a database, fills it with
expired rows, starts a process that loads and saves live sessions, one after the other, and runs
`manage.py clearsessions` in another. It prints one line of JSON per run: the seconds and the peak
memory of the command, and the saves beside it: how many, the slowest and the 99th percentile in
milliseconds, and the errors. `--listen` adds a receiver of `post_delete`.

`--scattered` has the rows lie in no order, as in a table whose removed rows gave way to new ones.
`--times` N runs so many commands at once, of which the slowest is told.

The database `file` is a directory, where TMPDIR says, with a file for each row. `--live` has these
files be of sessions that have not expired.
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
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from tests import services

PACKAGES = ("django.contrib.sessions", "dj_sessions")
LIVE = 50
HOUR = 3600
MONTH = 30 * 24 * HOUR
#: Seconds that the saving process waits between two saves.
BREATH = 0.002
NAME = f"dj_sessions_clearing_{os.getpid()}"

#: Rows lie in the order in which they were last saved, which is that of their expiry, or in none.
ORDERS = {
    "sqlite": ("i", "random()"),
    "postgres": ("i", "random()"),
    "mariadb": ("seq", "rand()"),
}
FILL = {
    "sqlite": """
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
        INSERT INTO django_session (session_key, session_data, expire_date)
        SELECT lower(hex(randomblob(16))), '{data}',
               strftime('%Y-%m-%d %H:%M:%f', 'now',
                 '-' || (60 + ({rows} - i) * {step}) || ' seconds')
        FROM n ORDER BY {order}""",
    "postgres": """
        INSERT INTO django_session (session_key, session_data, expire_date)
        SELECT md5(i::text || random()::text), '{data}',
               now() - (60 + ({rows} - i) * {step}) * interval '1 second'
        FROM generate_series(1, {rows}) AS i ORDER BY {order}""",
    "mariadb": """
        INSERT INTO django_session (session_key, session_data, expire_date)
        SELECT md5(concat(seq, rand())), '{data}',
               utc_timestamp(6) - interval (60 + ({rows} - seq) * {step}) second
        FROM seq_1_to_{rows} ORDER BY {order}""",
}


def configuration(database: str, directory: Path) -> dict[str, Any]:
    if database == "file":
        return {"SESSION_FILE_PATH": str(directory)}
    if database == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(directory / "db.sqlite3")}
    service = services.run().services[database]
    engine = {"postgres": "postgresql", "mariadb": "mysql"}[database]
    return {
        "ENGINE": f"django.db.backends.{engine}",
        "NAME": NAME,
        "HOST": service.host,
        "PORT": service.port,
        "USER": service.user,
        "PASSWORD": service.password,
    }


def administer(database: str, statement: str) -> None:
    """Run a statement that makes or drops the database of this run."""
    if database in ("sqlite", "file"):
        return
    at = services.run().services[database]
    if database == "postgres":
        import psycopg

        login = {"user": at.user, "password": at.password or None, "dbname": "postgres"}
        with psycopg.connect(host=at.host, port=at.port, autocommit=True, **login) as connection:
            connection.execute(statement)
        return
    import pymysql

    login = {"user": at.user, "password": at.password}
    with pymysql.connect(host=at.host, port=at.port, **login) as connection:
        connection.cursor().execute(statement)


def set_up(package: str, at: dict[str, Any]) -> None:
    import django
    from django.conf import settings

    if at.get("ENGINE", "").endswith("mysql"):
        import pymysql

        pymysql.install_as_MySQLdb()
    settings.configure(
        SECRET_KEY="a key for measuring, as long as keys are: 0123456789 0123456789 0123456789",
        INSTALLED_APPS=[package],
        USE_TZ=True,
        **(
            {"SESSION_ENGINE": f"{package}.backends.file", **at}
            if "SESSION_FILE_PATH" in at
            else {"SESSION_ENGINE": f"{package}.backends.db", "DATABASES": {"default": at}}
        ),
    )
    django.setup()


# -- the processes


def prepare(rows: int, kind: str, live: bool, scattered: bool) -> None:
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    store = import_module(settings.SESSION_ENGINE).SessionStore
    data = store().encode({"user": 12345, "cart": list(range(20)), "note": "x" * 100})
    if kind == "file":
        write_files(Path(settings.SESSION_FILE_PATH), rows, data, HOUR if live else MONTH)
        return
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        order = ORDERS[kind][scattered]
        cursor.execute(FILL[kind].format(rows=rows, data=data, step=MONTH / rows, order=order))
        if kind != "mariadb":
            cursor.execute("ANALYZE")


def write_files(directory: Path, number: int, data: str, age: float) -> None:
    modified = time.time() - age
    for place in range(number):
        path = directory / f"sessionid{place:032x}"
        path.write_text(data)
        os.utime(path, (modified, modified))


def save_until_told() -> None:
    """Save live sessions until SIGTERM; print the milliseconds of each save, and the errors."""
    from django.conf import settings

    store = import_module(settings.SESSION_ENGINE).SessionStore
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))
    keys = []
    for _ in range(LIVE):
        session = store()
        session["n"] = 0
        session.set_expiry(timedelta(days=1))
        session.save()
        keys.append(session.session_key)
    print("ready", flush=True)
    taken, errors = [], Counter[str]()
    while not stopped:
        started = time.perf_counter()
        try:
            session = store(keys[len(taken) % LIVE])
            session["n"] += 1
            session.save()
        except Exception as error:  # noqa: BLE001 - counted, whatever it is
            errors[f"{type(error).__name__}: {error}"] += 1
        taken.append((time.perf_counter() - started) * 1000)
        time.sleep(BREATH)
    print(json.dumps({"taken": taken, "errors": dict(errors)}))


def clear(listen: bool, options: list[str]) -> None:
    """Run the command; print its seconds, its peak memory (MB) and what it left."""
    from django.apps import apps
    from django.conf import settings
    from django.core.management import call_command
    from django.db.models.signals import post_delete
    from django.utils import timezone

    model = apps.get_model("sessions", "Session")
    directory = settings.SESSION_FILE_PATH
    heard = Counter[str]()
    if listen:
        post_delete.connect(lambda **kwargs: heard.update(["row"]), sender=model, weak=False)
    started = time.perf_counter()
    call_command("clearsessions", *options, verbosity=0)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if directory:
        left = len(os.listdir(directory)) - LIVE  # without those of the saver
    else:
        left = model.objects.filter(expire_date__lt=timezone.now()).count()
    print(json.dumps({"seconds": seconds, "peak_mb": peak, "left": left, "heard": heard["row"]}))


# -- one run


def child(role: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.clearing.measure", "--role", role, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def measure(
    package: str,
    database: str,
    rows: int,
    *,
    listen: bool = False,
    live: bool = False,
    scattered: bool = False,
    times: int = 1,
    options: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the figures of one run; `options` are for our command."""
    administer(database, f"CREATE DATABASE {NAME}")
    try:
        with tempfile.TemporaryDirectory() as directory:
            at = json.dumps(configuration(database, Path(directory)))
            common = ["--package", package, "--at", at, "--rows", str(rows), database]
            kind = [*["--live"] * live, *["--scattered"] * scattered]
            with child("prepare", *common, *kind) as preparer:
                assert preparer.wait() == 0
            with child("save", *common) as saver:
                assert saver.stdout is not None
                assert saver.stdout.readline() == "ready\n"
                time.sleep(0.5)
                extra = ["--listen"] * listen + [f"--option={option}" for option in options]
                try:
                    clearers = [child("clear", *common, *extra) for _ in range(times)]
                    ends = [json.loads(clearer.communicate()[0]) for clearer in clearers]
                    done = max(ends, key=lambda end: end["seconds"])
                finally:
                    saver.terminate()
                saved = json.loads(saver.communicate()[0])
    finally:
        administer(database, f"DROP DATABASE {NAME}")
    taken = saved["taken"]
    return {
        "package": package,
        "database": database,
        "rows": rows,
        **done,
        "rows_per_second": (rows - done["left"]) / done["seconds"],
        "saves": len(taken),
        "worst_ms": max(taken),
        "p99_ms": statistics.quantiles(taken, n=100)[98],
        "median_ms": statistics.median(taken),
        "errors": saved["errors"],
    }


def _rounded(figure: Any) -> Any:
    return round(figure, 2) if isinstance(figure, float) else figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("databases", nargs="+", choices=[*FILL, "file"])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--listen", action="store_true")
    parser.add_argument("--live", action="store_true", help="with file: none has expired")
    parser.add_argument("--scattered", action="store_true", help="rows that lie in no order")
    parser.add_argument("--times", type=int, default=1, help="commands at once")
    parser.add_argument("--package", choices=PACKAGES)
    parser.add_argument("--option", action="append", default=[], help="of our command")
    parser.add_argument("--role", choices=["prepare", "save", "clear"], help=argparse.SUPPRESS)
    parser.add_argument("--at", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.role is None:
        for database in chosen.databases:
            for package in [chosen.package] if chosen.package else PACKAGES:
                options = chosen.option if package == "dj_sessions" else []
                figures = measure(
                    *(package, database, chosen.rows),
                    listen=chosen.listen,
                    live=chosen.live,
                    scattered=chosen.scattered,
                    times=chosen.times,
                    options=options,
                )
                told = {name: _rounded(figure) for name, figure in figures.items()}
                print(json.dumps(told), flush=True)
        return
    set_up(chosen.package, json.loads(chosen.at))
    if chosen.role == "prepare":
        prepare(chosen.rows, chosen.databases[0], chosen.live, chosen.scattered)
    elif chosen.role == "save":
        save_until_told()
    else:
        clear(chosen.listen, chosen.option)


if __name__ == "__main__":
    main()
