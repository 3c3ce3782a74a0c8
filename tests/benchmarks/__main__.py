"""The command: `python -m tests.benchmarks`, see the package."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from tests import benchmarks
from tests.benchmarks import groups
from tests.benchmarks.clearing import clearing
from tests.benchmarks.options import FULL, QUICK, TINY, Options
from tests.benchmarks.over_http.group import http
from tests.benchmarks.over_http.load import generator
from tests.benchmarks.report.machine import machine, versions
from tests.benchmarks.report.plots import plot
from tests.benchmarks.report.table import table
from tests.benchmarks.results import Missing, Row

GROUPS: dict[str, Callable[[Options], Iterator[Row | Missing]]] = {
    "db": groups.db,
    "cache": groups.cache,
    "cached_db": groups.cached_db,
    "file": groups.file,
    "redis": groups.redis,
    "codec": groups.codec,
    "requests": groups.requests,
    "http": http,
    "memory": groups.memory,
    "clearing": clearing,
}


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    options = _options(chosen)
    command = "python -m tests.benchmarks " + shlex.join(
        sys.argv[1:] if arguments is None else arguments
    )
    rows: list[Row] = []
    missing: list[Missing] = []
    for name in chosen.groups or GROUPS:
        rows += _run(name, options, missing)
    result = _result(command, options, rows, missing)
    _print_circumstances(result)
    if chosen.output:
        _write(chosen.output, result, rows)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=benchmarks.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "groups", nargs="*", metavar="GROUP", choices=[*GROUPS, []], help=", ".join(GROUPS)
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--quick", action="store_true", help="all groups in two minutes")
    length.add_argument("--tiny", action="store_true", help="only to see that it works")
    parser.add_argument("--rounds", type=int, help="how often the sides take turns")
    parser.add_argument("--connections", type=int, help="to the servers of http, at a time")
    parser.add_argument("--rows", type=int, help="expired sessions to clear")
    parser.add_argument(
        "--stores", metavar="NAME,…", default="", help="only on these: sqlite, redis, file, …"
    )
    parser.add_argument("--output", type=Path, metavar="DIRECTORY", help="for JSON and SVG")
    return parser


def _options(chosen: argparse.Namespace) -> Options:
    options = QUICK if chosen.quick else TINY if chosen.tiny else FULL
    if chosen.rounds:
        rounds = chosen.rounds
        options = replace(options, rounds=rounds, load_rounds=rounds, clearing_rounds=rounds)
    stores = tuple(filter(None, chosen.stores.split(",")))
    return replace(
        options,
        rows=chosen.rows or options.rows,
        connections=chosen.connections or options.connections,
        stores=stores,
    )


def _run(name: str, options: Options, missing: list[Missing]) -> list[Row]:
    start = monotonic()
    print(f"{name} …", file=sys.stderr, flush=True)
    rows: list[Row] = []
    for found in GROUPS[name](options):
        if isinstance(found, Missing):
            missing.append(found)
        else:
            rows.append(found)
    print(f"\n{name} ({monotonic() - start:.0f} s)\n\n{table(rows)}", flush=True)
    for each in missing:
        if each.group == name:
            print(f"not measured: {each.store}: {each.reason}")
    return rows


def _result(
    command: str, options: Options, rows: list[Row], missing: list[Missing]
) -> dict[str, Any]:
    return {
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "options": asdict(options) | {"load generator": generator(options.load_seconds)},
        "rows": [row.as_json() for row in rows],
        "missing": [asdict(each) for each in missing],
    }


def _print_circumstances(result: dict[str, Any]) -> None:
    print(f"\n{result['command']}, {result['date']}")
    for subject in ("machine", "versions", "options"):
        print(
            f"{subject}: " + ", ".join(f"{name} {value}" for name, value in result[subject].items())
        )


def _write(directory: Path, result: dict[str, Any], rows: list[Row]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    (directory / "benchmarks.json").write_text(text, encoding="utf-8")
    for name in dict.fromkeys(row.group for row in rows):
        svg = plot(name, [row for row in rows if row.group == name])
        (directory / f"{name}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
