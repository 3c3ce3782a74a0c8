"""What was measured: rows of figures, one pair per round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median, quantiles
from typing import Any


@dataclass(frozen=True)
class Spread:
    """The median over the rounds, and the quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, middle, high = quantiles(values, n=4, method="inclusive")
        return cls(middle, low, high)


@dataclass(frozen=True)
class Row:
    """One operation on one store: what each side took, per round, in `unit`.

    `limits` are the same work without a session engine, by name.
    """

    group: str
    store: str
    operation: str
    unit: str
    django: list[float]
    ours: list[float]
    limits: dict[str, list[float]] = field(default_factory=dict)
    target: str = ""

    @property
    def ratio(self) -> Spread | None:
        """Ours / Django's; None where Django's is nothing, or too close to it to divide by."""
        if min(self.django) <= 0:
            return None
        pairs = zip(self.ours, self.django, strict=True)
        return Spread.of([ours / django for ours, django in pairs])

    def limit_ratio(self, name: str) -> float | None:
        """A limit / Django's: what no engine can go below."""
        base = median(self.django)
        return median(self.limits[name]) / base if base > 0 else None

    def as_json(self) -> dict[str, Any]:
        ratio = self.ratio
        return asdict(self) | {"ratio": asdict(ratio) if ratio else None}


@dataclass(frozen=True)
class Missing:
    """What was not measured, and why."""

    group: str
    store: str
    reason: str
