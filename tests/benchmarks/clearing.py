"""The group `clearing`: clearsessions beside a process that keeps saving live sessions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tests.benchmarks.options import Options
from tests.benchmarks.pairs import taking_turns
from tests.benchmarks.results import Missing, Row
from tests.clearing.measure import PACKAGES, measure
from tests.stores import CASES

#: What one clearing is measured by: the name that `measure()` has for it, unit, target in words.
FIGURES = {
    "duration": ("seconds", "s", "≤ 1.50"),
    "rows per second": ("rows_per_second", "1/s", ""),
    "peak memory": ("peak_mb", "MB", "flat"),
    "worst stall of a save": ("worst_ms", "ms", "< 100 ms"),
    "p99 of a save": ("p99_ms", "ms", ""),
    "errors of the savers": ("failed", "", "0"),
}


def clearing(options: Options) -> Iterator[Row | Missing]:
    for case in filter(options.wants, (case for case in CASES if case.engine == "db")):
        database = case.database or ""
        if case.missing:
            yield Missing("clearing", database, case.missing)
        else:
            yield from _measured(options, database)


def _measured(options: Options, database: str) -> Iterator[Row]:
    askers = {package: partial(_clear, package, database, options.rows) for package in PACKAGES}
    taken = taking_turns(askers, options.clearing_rounds)
    for figure, (name, unit, target) in FIGURES.items():
        django, ours = ([each[name] for each in taken[package]] for package in PACKAGES)
        what = f"{options.rows:,} rows: {figure}"
        yield Row("clearing", database, what, unit, django, ours, {}, target)


def _clear(package: str, database: str, rows: int) -> dict[str, float]:
    figures = measure(package, database, rows)
    if figures["left"]:
        raise AssertionError(f"{package} left {figures['left']} expired sessions")
    return figures | {"failed": float(sum(figures["errors"].values()))}
