"""Many processes and threads on the same sessions, then an audit: nothing lost, nothing revived.

    python -m tests.stress --seconds 30 --stores db-postgres,cache-redis

Without --engine-root the same run is made on Django's engines and on ours, and each cell of the
table reads "Django / ours". The status is 1 if ours lost a write, revived a session or raised
an error that it should not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django


def arguments() -> argparse.Namespace:
    from tests.stress.run import DJANGO, OURS, STRESSED

    names = [case.name for case in STRESSED]
    parser = argparse.ArgumentParser(
        prog="python -m tests.stress",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, help="who does what; printed, random by default")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each store and engine")
    parser.add_argument("--visits", type=int, default=1_000_000, help="the most of each actor")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument(
        "--threads", type=int, default=4, help="of each process; the last is an event loop"
    )
    parser.add_argument("--sessions", type=int, default=4, help="how many everybody writes to")
    parser.add_argument(
        "--changing-keys",
        action="store_true",
        help="have every other process store hashed keys, as while a site changes",
    )
    parser.add_argument(
        "--stores", default=",".join(names), help=f"separated by commas, of: {', '.join(names)}"
    )
    parser.add_argument("--engine-root", choices=[DJANGO, OURS], help="both by default")
    parser.add_argument("--json", type=Path, help="write everything to this file")
    options = parser.parse_args()
    if unknown := set(options.stores.split(",")) - set(names):
        parser.error(f"unknown stores: {', '.join(sorted(unknown))}")
    return options


@contextmanager
def databases(aliases: set[str]) -> Iterator[None]:
    """The test databases of these servers."""
    from django.test.utils import setup_databases, teardown_databases

    if not aliases:
        yield
        return
    created = setup_databases(
        0, interactive=False, aliases={"default", *aliases}, serialized_aliases=set()
    )
    try:
        yield
    finally:
        teardown_databases(created, 0)


def main() -> int:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    from tests.stress import report
    from tests.stress.run import DJANGO, OURS, STRESSED, Bounds, server_of, stress

    options = arguments()
    seed = random.randrange(2**32) if options.seed is None else options.seed
    names = ("seconds", "processes", "threads", "visits", "sessions", "changing_keys")
    bounds = Bounds(seed, **{name: getattr(options, name) for name in names})
    print(f"python {platform.python_version()}, django {django.get_version()}, {bounds}")
    cases = [case for case in STRESSED if case.name in options.stores.split(",")]
    for case in cases:
        if case.missing:
            print(f"{case.name} left out: {case.missing}")
    cases = [case for case in cases if not case.missing]
    roots = [options.engine_root] if options.engine_root else [DJANGO, OURS]
    rows: list[list[Any]] = []
    with databases({alias for case in cases if (alias := server_of(case))}):
        for case in cases:
            rows.append([])
            for root in roots if not case.is_moving else [OURS]:
                result = stress(case, f"{root}.backends.{case.engine}", bounds)
                rows[-1].append(result)
                print(report.findings(result), flush=True)
    results = [result for row in rows for result in row]
    print(f"\n{' / '.join(roots)}\n\n{report.table(rows)}" if rows else "no store is here")
    if options.json:
        whole = {"bounds": vars(bounds), "results": [result.as_dict() for result in results]}
        options.json.write_text(json.dumps(whole, indent=1) + "\n")
    return int(any(not r.is_clean for r in results if r.engine.startswith(OURS)))


if __name__ == "__main__":
    sys.exit(main())
