"""How long to measure."""

from __future__ import annotations

from dataclasses import dataclass

from tests.stores import Case


@dataclass(frozen=True)
class Options:
    """`seconds` and `load_seconds` are per sample; one round samples each side once.

    `stores` are the databases and caches to measure on; none chosen: all.
    """

    rounds: int
    seconds: float
    load_rounds: int
    load_seconds: float
    connections: int
    rows: int
    clearing_rounds: int = 1
    stores: tuple[str, ...] = ()

    def wants(self, case: Case) -> bool:
        words = set(filter(None, (case.database, case.cache))) or {case.engine}
        return not self.stores or words <= set(self.stores)


FULL = Options(rounds=11, seconds=0.2, load_rounds=3, load_seconds=4.0, connections=8, rows=100_000)
QUICK = Options(
    rounds=3, seconds=0.03, load_rounds=1, load_seconds=0.25, connections=8, rows=10_000
)
#: To see that it works; the figures mean nothing.
TINY = Options(rounds=1, seconds=0.0, load_rounds=1, load_seconds=0.1, connections=2, rows=200)
