"""The figures of a run as a table: a line for each store, Django's beside ours."""

from __future__ import annotations

from collections.abc import Sequence

from tests.stress.run import Result

EXAMPLES = 5
COLUMNS = {
    "operations": lambda result: f"{result.operations:,}",
    "per second": lambda result: f"{result.per_second:,.0f}",
    "acknowledged": lambda result: f"{result.acknowledged:,}",
    "lost": lambda result: f"{result.lost:,}",
    "ended": lambda result: f"{result.ended:,}",
    "revived": lambda result: f"{len(result.revived):,}",
    "conflicts": lambda result: f"{result.conflicts:,}",
    "busy": lambda result: f"{result.busy:,}",
    "errors": lambda result: f"{sum(result.errors.values()) + len(result.invented):,}",
}


def table(results: Sequence[Sequence[Result]]) -> str:
    """A Markdown table; each line has the results of one store, one for each engine."""
    lines = [["store", *COLUMNS]]
    lines += [
        [row[0].store, *(" / ".join(map(show, row)) for show in COLUMNS.values())]
        for row in results
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)


def findings(result: Result) -> str:
    """What was seen in short, and what is wrong, some of it by example."""
    seen = ", ".join(f"{show(result)} {name}" for name, show in COLUMNS.items())
    lines = [f"{result.store}, {result.engine}: {seen}"]
    lines += [f"  {number} x {error}" for error, number in sorted(result.errors.items())]
    for title in ("losses", "invented", "revived"):
        found = getattr(result, title)
        lines += [f"  {title}: {line}" for line in found[:EXAMPLES]]
        if len(found) > EXAMPLES:
            lines.append(f"  {title}: and {len(found) - EXAMPLES} more")
    return "\n".join(lines)
