"""Try a large session table of PostgreSQL: as it comes, with settings, and in hash partitions.

    python -m tests.clearing.partitions --rows 10000000

Each of the three tables is filled with sessions of which a tenth has expired, scattered over the
table. Then `--saves` random sessions are saved, one after the other, and `clearsessions` runs. One
line of JSON for each table has the rows inserted in a second, the bytes of a row with its indexes,
the saves in a second and how many of them touched no index (HOT), the seconds that `clearsessions`
took, and the dead rows before it, after it, and `--wait` seconds later, with the runs of
autovacuum.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.clearing import measure

NAME = f"dj_sessions_partitions_{os.getpid()}"
PARTITIONS = 16
SETTINGS = """autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0"""
COLUMNS = """session_key varchar(40) PRIMARY KEY, session_data text NOT NULL,
    expire_date timestamptz NOT NULL"""
PARTITION = "CREATE TABLE django_session_{n} PARTITION OF django_session FOR VALUES"

#: The statements that make each of the tables.
TABLES = {
    "as it comes": [f"CREATE TABLE django_session ({COLUMNS})"],
    "with settings": [f"CREATE TABLE django_session ({COLUMNS}) WITH ({SETTINGS})"],
    "in partitions, with settings": [
        f"CREATE TABLE django_session ({COLUMNS}) PARTITION BY HASH (session_key)",
        *(
            f"{PARTITION.format(n=n)} WITH (MODULUS {PARTITIONS}, REMAINDER {n}) WITH ({SETTINGS})"
            for n in range(PARTITIONS)
        ),
    ],
}
#: Django's indexes: of dates, and of the beginnings of keys.
INDEXES = [
    "CREATE INDEX ON django_session (expire_date)",
    "CREATE INDEX ON django_session (session_key varchar_pattern_ops)",
]
FILL = """INSERT INTO django_session
    SELECT md5(i::text || random()::text), %s,
           now() + (random() * 10 - 1) * interval '1 day'
    FROM generate_series(1, %s) AS i"""
#: Of the table, or of all its partitions.
TOTALS = """SELECT sum(n_live_tup), sum(n_dead_tup), sum(n_tup_upd), sum(n_tup_hot_upd),
    sum(autovacuum_count), sum(pg_total_relation_size(relid))
    FROM pg_stat_user_tables WHERE relname LIKE 'django_session%%'"""
DAY = 24 * 3600


def totals(cursor: Any) -> dict[str, int]:
    names = ("live", "dead", "updated", "hot", "vacuums", "bytes")
    cursor.execute("SELECT pg_sleep(1.5), pg_stat_clear_snapshot()")  # statistics come late
    cursor.execute(TOTALS)
    return dict(zip(names, map(int, cursor.fetchone()), strict=True))


def tried(kind: str, rows: int, saves: int, wait: float) -> dict[str, Any]:
    from django.core.management import call_command
    from django.db import connection

    from dj_sessions.backends.db import SessionStore

    data = SessionStore().encode({"user": 12345, "cart": list(range(20))})
    with connection.cursor() as cursor:
        for statement in [*TABLES[kind], *INDEXES]:
            cursor.execute(statement)
        began = time.perf_counter()
        cursor.execute(FILL, [data, rows])
        inserted = time.perf_counter() - began
        cursor.execute("VACUUM ANALYZE django_session")
        size = totals(cursor)["bytes"]
        cursor.execute(
            "SELECT session_key FROM django_session TABLESAMPLE SYSTEM (5) "
            "WHERE expire_date > now() + interval '1 hour' ORDER BY random() LIMIT %s",
            [saves],
        )
        keys = [key for (key,) in cursor.fetchall()]
        before = totals(cursor)
        began = time.perf_counter()
        for number, key in enumerate(keys):
            session = SessionStore(key)
            session["n"] = number
            session.set_expiry(DAY + number)
            session.save()
        saved = time.perf_counter() - began
        after_saves = totals(cursor)
        began = time.perf_counter()
        call_command("clearsessions", stdout=sys.stderr)
        cleared = time.perf_counter() - began
        at_once = totals(cursor)
        time.sleep(wait)
        later = totals(cursor)
    updated = after_saves["updated"] - before["updated"]
    return {
        "table": kind,
        "rows": rows,
        "inserted_per_second": rows / inserted,
        "bytes_per_row": size / rows,
        "saves_per_second": len(keys) / saved,
        "hot_updates": (after_saves["hot"] - before["hot"]) / max(1, updated),
        "clear_seconds": cleared,
        "dead_before": after_saves["dead"],
        "dead_after": at_once["dead"],
        "dead_later": later["dead"],
        "vacuums": later["vacuums"] - before["vacuums"],
        "bytes_later": later["bytes"] / rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--saves", type=int, default=20_000)
    parser.add_argument("--wait", type=float, default=90, help="seconds after clearing")
    parser.add_argument("--table", choices=TABLES, action="append", help="default: each")
    parser.add_argument("--at", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.at:
        measure.set_up("dj_sessions", json.loads(chosen.at))
        figures = tried(chosen.table[0], chosen.rows, chosen.saves, chosen.wait)
        print(
            json.dumps({k: round(v, 2) if isinstance(v, float) else v for k, v in figures.items()})
        )
        return
    at = json.dumps(measure.configuration("postgres", Path()) | {"NAME": NAME})
    for kind in chosen.table or TABLES:
        measure.administer("postgres", f"CREATE DATABASE {NAME}")
        try:
            command = [sys.executable, "-m", "tests.clearing.partitions", "--at", at]
            numbers = [f"--{name}={getattr(chosen, name)}" for name in ("rows", "saves", "wait")]
            subprocess.run([*command, "--table", kind, *numbers], check=True)
        finally:
            measure.administer("postgres", f"DROP DATABASE {NAME} WITH (FORCE)")


if __name__ == "__main__":
    main()
