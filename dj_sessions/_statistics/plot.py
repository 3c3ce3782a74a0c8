"""The figures as a picture: SVG that needs no other file, in light and in dark."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

from dj_sessions._statistics.summary import Summary, age_label, labelled, size_label

WIDTH: Final = 720
#: Where the bars begin, and the longest of them.
LEFT, LONGEST = 200, 400
ROW: Final = 20
MARGIN: Final = 16

STYLE: Final = """
  text { fill: #1f2933; font: 13px system-ui, sans-serif; }
  .ground { fill: #ffffff; }
  .quiet { fill: #52606d; }
  .head { font-weight: 600; font-size: 15px; }
  .bar { fill: #2166ac; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f4f8; }
    .ground { fill: #12181f; }
    .quiet { fill: #b3bfcc; }
    .bar { fill: #6ab0f3; }
  }
"""

Bars = list[tuple[str, int]]


def draw(summary: Summary) -> str:
    """Return the picture as text of an SVG file."""
    parts = [
        ("Sessions", _overview(summary)),
        ("By age: since the last save", labelled(summary.ages, age_label)),
        ("By size: as stored", labelled(summary.sizes, size_label)),
        ("Largest keys: bytes before compression", [(k.key, k.bytes) for k in summary.keys]),
    ]
    lines: list[str] = []
    y = 2 * MARGIN
    lines.append(_text(MARGIN, y, _title(summary), "head"))
    y += ROW
    if summary.sample:
        lines.append(_text(MARGIN, y, _of_sample(summary), "quiet"))
        y += ROW
    for heading, bars in parts:
        y += MARGIN
        lines.append(_text(MARGIN, y, heading, "head"))
        y += ROW
        lines += _bars(bars, y)
        y += ROW * len(bars)
    return _document(summary, y + MARGIN, lines)


def _document(summary: Summary, height: int, lines: list[str]) -> str:
    body = "\n".join(lines)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img" aria-labelledby="title desc">\n'
        f'<title id="title">{escape(_title(summary))}</title>\n'
        f'<desc id="desc">{escape(_description(summary))}</desc>\n'
        f"<style>{STYLE}</style>\n"
        f'<rect class="ground" width="{WIDTH}" height="{height}"/>\n{body}\n</svg>\n'
    )


def _title(summary: Summary) -> str:
    return f"Sessions of {summary.engine}"


def _overview(summary: Summary) -> Bars:
    bars = [("of users", summary.authenticated), ("anonymous", summary.anonymous)]
    bars += [] if summary.expired is None else [("expired", summary.expired)]
    return [*bars, ("unreadable", summary.unreadable)] if summary.unreadable else bars


def _of_sample(summary: Summary) -> str:
    sample = summary.sample
    assert sample is not None  # noqa: S101 # the caller has looked
    return f"Estimates from {sample.size:,} of {sample.of:,} sessions, with seed {sample.seed}"


def _description(summary: Summary) -> str:
    said = ", ".join(f"{count:,} {label}" for label, count in _overview(summary))
    ages = ", ".join(f"{label}: {n:,}" for label, n in labelled(summary.ages, age_label))
    sizes = ", ".join(f"{label}: {n:,}" for label, n in labelled(summary.sizes, size_label))
    keys = ", ".join(f"{key.key}: {key.bytes:,}" for key in summary.keys)
    sampled = f" {_of_sample(summary)}." if summary.sample else ""
    return (
        f"{summary.live:,} live sessions: {said}.{sampled} Sessions by age since the last save: "
        f"{ages}. By size: {sizes}. Bytes of the largest keys: {keys}."
    )


def _bars(bars: Bars, y: int) -> list[str]:
    most = max((count for _, count in bars), default=0) or 1
    lines = []
    for label, count in bars:
        length = round(LONGEST * count / most, 1)
        lines.append(_text(LEFT - 8, y, _short(label), end=True))
        lines.append(
            f'<rect class="bar" x="{LEFT}" y="{y - 12}" width="{length}" height="14" rx="2"/>'
        )
        lines.append(_text(LEFT + length + 6, y, f"{count:,}", "quiet"))
        y += ROW
    return lines


def _short(label: str) -> str:
    return label if len(label) <= 26 else f"{label[:25]}…"


def _text(x: float, y: float, text: str, kind: str = "", *, end: bool = False) -> str:
    anchor = ' text-anchor="end"' if end else ""
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:g}" y="{y:g}"{anchor}>{escape(text)}</text>'
