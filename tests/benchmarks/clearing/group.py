"""The group `clearing`: Django's command beside ours, on each database."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.options import Options
from tests.benchmarks.pairs import Pair, pair_on, side
from tests.benchmarks.results import Missing, Row
from tests.interop.places import DJANGO, OURS
from tests.interop.processes import Worker
from tests.stores import CASES

#: What one clearing is measured by: unit, and target in words.
FIGURES = {
    "duration": ("s", "≤ 1.50"),
    "rows per second": ("1/s", ""),
    "memory grown": ("MB", "flat"),
    "worst stall of a save": ("ms", "< 100 ms"),
    "p99 of a save": ("ms", ""),
    "errors of the savers": ("", "0"),
}


def clearing(options: Options) -> Iterator[Row | Missing]:
    for case in filter(options.wants, (case for case in CASES if case.engine == "db")):
        if case.missing:
            yield Missing("clearing", case.database or "", case.missing)
            continue
        with pair_on(case) as pair:
            yield from _measured(options, case.database or "", pair)


def _measured(options: Options, store: str, pair: Pair) -> Iterator[Row]:
    taken: dict[str, list[dict[str, float]]] = {DJANGO: [], OURS: []}
    for number in range(options.clearing_rounds):
        order = [(DJANGO, pair.django), (OURS, pair.ours)]
        for root, saver in order if number % 2 else reversed(order):
            taken[root].append(_clear(options.rows, root, pair, saver))
    for figure, (unit, target) in FIGURES.items():
        django, ours = ([each[figure] for each in taken[root]] for root in (DJANGO, OURS))
        yield Row(
            "clearing", store, f"{options.rows:,} rows: {figure}", unit, django, ours, {}, target
        )


def _clear(rows: int, root: str, pair: Pair, saver: Worker) -> dict[str, float]:
    """Clear once in a process of its own, so that its peak of memory is the command's."""
    saver.ask("fill", rows=rows)
    with side(pair.place, root) as command:
        command.ask("hang_up")  # it is up: what follows is the clearing alone
        saver.ask("start_saving")
        try:
            cleared = command.ask("clear")
        finally:
            saved = saver.ask("stop_saving")
    return {
        "duration": cleared["seconds"],
        "rows per second": rows / cleared["seconds"],
        "memory grown": cleared["grown"] / 1e6,
        "worst stall of a save": saved["worst"] * 1e3,
        "p99 of a save": saved["p99"] * 1e3,
        "errors of the savers": float(sum(saved["errors"].values())),
    }
