"""The rows of a group as a table of text."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from tests.benchmarks.results import Row

HEADINGS = (
    "store",
    "operation",
    "unit",
    "Django",
    "ours",
    "ratio",
    "quartiles",
    "limits",
    "target",
)
RIGHT = {"Django", "ours", "ratio"}


def table(rows: Sequence[Row]) -> str:
    """One line per row; a limit stands there with its own ratio to Django's."""
    cells = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if heading in RIGHT else cell.ljust(width)
            for heading, cell, width in zip(HEADINGS, line, widths, strict=True)
        ).rstrip()
        for line in cells
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def _cells(row: Row) -> tuple[str, ...]:
    ratio = row.ratio
    return (
        *(row.store, row.operation, row.unit),
        *(number(median(row.django)), number(median(row.ours))),
        f"{ratio.median:.2f}" if ratio else "-",
        f"{ratio.low:.2f} - {ratio.high:.2f}" if ratio else "",
        ", ".join(_limit(row, name) for name in row.limits),
        row.target,
    )


def _limit(row: Row, name: str) -> str:
    ratio = row.limit_ratio(name)
    share = f" ({ratio:.2f})" if ratio is not None else ""
    return f"{name} {number(median(row.limits[name]))}{share}"


def number(value: float) -> str:
    """Three digits that mean something."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
