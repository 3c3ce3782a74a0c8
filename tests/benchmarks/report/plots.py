"""A bar chart of a group, as SVG: the ratio ours / Django's of each row.

The bar is the median, the line across its end the quartiles; a diamond stands where a limit is,
and the dashed line at 1 is Django.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from tests.benchmarks.report.table import number
from tests.benchmarks.results import Row, Spread

LABELS, BARS, VALUES = 330, 420, 90
LINE, TOP, BOTTOM = 22, 56, 24
#: The ratio at the right end: what is beyond is cut there, and told by its number.
END = 1.5

STYLE = """
text { font: 12px sans-serif; fill: #222 } .title { font-weight: bold; font-size: 14px }
.legend, .tick { fill: #666; font-size: 11px } .bar { fill: #44b78b } .more { fill: #d9822b }
.spread { stroke: #0c4b33; stroke-width: 1.5 } .limit { fill: #1f4e9c }
.grid { stroke: #ddd } .django { stroke: #222; stroke-dasharray: 4 3 }
""".strip()


def plot(title: str, rows: Sequence[Row]) -> str:
    """The SVG document; rows without a ratio are left out."""
    drawn = [(row, row.ratio) for row in rows if row.ratio]
    height = TOP + LINE * len(drawn) + BOTTOM
    width = LABELS + BARS + VALUES
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text class="title" x="12" y="22">{escape(title)}</text>',
        '<text class="legend" x="12" y="40">ratio ours / Django (median, quartiles); '
        "diamond: limit</text>",
        *_grid(height - BOTTOM),
    ]
    for place, (row, ratio) in enumerate(drawn):
        lines += _bar(row, ratio, TOP + LINE * place)
    return "\n".join([*lines, "</svg>", ""])


def _grid(bottom: int) -> Iterator[str]:
    for step in range(7):
        ratio = step / 4
        kind = "django" if ratio == 1 else "grid"
        x = _x(ratio)
        yield f'<line class="{kind}" x1="{x}" x2="{x}" y1="{TOP - 4}" y2="{bottom}"/>'
        yield f'<text class="tick" x="{x}" y="{bottom + 14}" text-anchor="middle">{ratio:g}</text>'


def _bar(row: Row, ratio: Spread, top: int) -> Iterator[str]:
    middle = top + LINE / 2
    name = escape(f"{row.store}: {row.operation}")
    yield f'<text x="{LABELS - 8}" y="{middle + 4}" text-anchor="end">{name}</text>'
    kind = "more" if _is_worse(row, ratio) else "bar"
    yield (
        f'<rect class="{kind}" x="{LABELS}" y="{top + 4}" width="{_x(ratio.median) - LABELS:.1f}" '
        f'height="{LINE - 8}"/>'
    )
    yield (
        f'<line class="spread" x1="{_x(ratio.low)}" x2="{_x(ratio.high)}" '
        f'y1="{middle}" y2="{middle}"/>'
    )
    for limit in row.limits:
        x = _x(row.limit_ratio(limit) or 0)
        yield (
            f'<path class="limit" d="M{x - 4:.1f} {middle} l4 -5 l4 5 l-4 5 z">'
            f"<title>{escape(limit)}</title></path>"
        )
    yield f'<text x="{LABELS + BARS + 8}" y="{middle + 4}">{number(ratio.median)}</text>'


def _is_worse(row: Row, ratio: Spread) -> bool:
    return ratio.median < 1 if row.unit == "1/s" else ratio.median > 1


def _x(ratio: float) -> float:
    return round(LABELS + BARS * min(max(ratio, 0), END) / END, 1)
