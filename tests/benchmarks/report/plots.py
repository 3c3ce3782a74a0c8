"""A bar chart of a group, as SVG: the ratio ours / Django's of each row.

The bar is the median, the line across its end the quartiles; a diamond stands where a limit is,
and the dashed line at 1 is Django. What is measured in several ways has a part of the chart for
each, headed by which way is better.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from xml.sax.saxutils import escape

from tests.benchmarks.report.table import number
from tests.benchmarks.results import Row, Spread

LABELS, BARS, VALUES = 230, 500, 60
LINE, TOP, BOTTOM, HEADING = 22, 46, 26, 30
#: The ratio at the right end is that of the longest bar, within these; what is beyond is cut.
LEAST_END, GREATEST_END = 1.25, 2.25

STYLE = """
text { font: 12px sans-serif; fill: #222 } .title { font-weight: bold; font-size: 14px }
.heading { font-weight: bold } .legend, .tick { fill: #666; font-size: 11px }
.paper { fill: #fff } .bar { fill: #44b78b } .more { fill: #d9822b }
.spread { stroke: #0c4b33; stroke-width: 1.5 } .limit { fill: #1f4e9c }
.grid { stroke: #ddd } .django { stroke: #222; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
text { fill: #ddd } .legend, .tick { fill: #aaa } .paper { fill: #1a1c1e } .bar { fill: #2f8f6b }
.more { fill: #b8661a } .spread { stroke: #d5f5e8 } .limit { fill: #8ab4ff }
.grid { stroke: #444 } .django { stroke: #ddd } }
""".strip()

STORES = {
    "sqlite": "SQLite",
    "postgres": "PostgreSQL",
    "mariadb": "MariaDB",
    "redis": "Redis",
    "memcached": "Memcached",
    "locmem": "local memory",
    "django_redis": "django-redis",
}


class Chart:
    """The bars of rows that have a ratio."""

    def __init__(self, title: str, rows: Sequence[Row]) -> None:
        self.title = title
        self.drawn = [(row, row.ratio) for row in rows if row.ratio]
        longest = max((ratio.median for _, ratio in self.drawn), default=0)
        self.end = min(max(ceil(longest * 4) / 4, LEAST_END), GREATEST_END)

    def svg(self) -> str:
        """The document."""
        body, top = list[str](), TOP
        for heading in dict.fromkeys(_heading(row) for row, _ in self.drawn):
            body.append(f'<text class="heading" x="12" y="{top + 20}">{escape(heading)}</text>')
            top += HEADING
            for row, ratio in self.drawn:
                if _heading(row) == heading:
                    body += self._bar(row, ratio, top)
                    top += LINE
        width, height = LABELS + BARS + VALUES, top + BOTTOM
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img">',
            f"<title>{escape(self.title)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{width}" height="{height}"/>',
            f'<text class="title" x="12" y="22">{escape(self.title)}</text>',
            '<text class="legend" x="12" y="40">dj_sessions / Django, which is the dashed line at '
            "1; across the bar's end, the quartiles; diamond: what no engine can beat</text>",
            *self._grid(top),
            *body,
        ]
        return "\n".join([*lines, "</svg>", ""])

    def _grid(self, bottom: int) -> Iterator[str]:
        for step in range(int(self.end * 4) + 1):
            ratio = step / 4
            kind, x = "django" if ratio == 1 else "grid", self._x(ratio)
            yield f'<line class="{kind}" x1="{x}" x2="{x}" y1="{TOP + 4}" y2="{bottom}"/>'
            place = f'x="{x}" y="{bottom + 14}" text-anchor="middle"'
            yield f'<text class="tick" {place}>{ratio:g}</text>'

    def _bar(self, row: Row, ratio: Spread, top: int) -> Iterator[str]:
        middle = top + LINE / 2
        name = escape(f"{_store(row)}: {_operation(row)}")
        yield f'<text x="{LABELS - 8}" y="{middle + 4}" text-anchor="end">{name}</text>'
        kind = "more" if _is_worse(row, ratio) else "bar"
        yield (
            f'<rect class="{kind}" x="{LABELS}" y="{top + 4}" '
            f'width="{self._x(ratio.median) - LABELS:.1f}" height="{LINE - 8}"/>'
        )
        yield (
            f'<line class="spread" x1="{self._x(ratio.low)}" x2="{self._x(ratio.high)}" '
            f'y1="{middle}" y2="{middle}"/>'
        )
        for limit in row.limits:
            x = self._x(row.limit_ratio(limit) or 0)
            yield (
                f'<path class="limit" d="M{x - 4:.1f} {middle} l4 -5 l4 5 l-4 5 z">'
                f"<title>{escape(limit)}</title></path>"
            )
        yield f'<text x="{LABELS + BARS + 12}" y="{middle + 4}">{number(ratio.median)}</text>'

    def _x(self, ratio: float) -> float:
        return round(LABELS + BARS * min(max(ratio, 0), self.end) / self.end, 1)


def plot(title: str, rows: Sequence[Row]) -> str:
    """The SVG document; rows without a ratio are left out."""
    return Chart(title, rows).svg()


def _store(row: Row) -> str:
    return " + ".join(STORES.get(name, name) for name in row.store.split("-"))


def _operation(row: Row) -> str:
    return row.operation.partition(": ")[0]


def _heading(row: Row) -> str:
    """What is measured, and which way is better."""
    usual = "Bytes" if row.unit == "bytes" else "Time"
    measure = row.operation.partition(": ")[2] or usual
    measure = {"p50": "Latency, median", "p99": "Latency, 99th percentile"}.get(measure, measure)
    measure = measure[0].upper() + measure[1:]
    return f"{measure}: {'longer' if row.unit == '1/s' else 'shorter'} is better"


def _is_worse(row: Row, ratio: Spread) -> bool:
    return ratio.median < 1 if row.unit == "1/s" else ratio.median > 1
