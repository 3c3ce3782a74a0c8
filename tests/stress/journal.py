"""What an actor was told: which of its writes were acknowledged, which sessions it has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass
class Claim:
    """What must be stored under a name of a session, of which one actor is the only writer.

    Of a counter `acknowledged` is how many steps were, and `unsure` holds those that failed with
    an error that does not tell whether they were stored. Of any other value they are the value
    itself (None: removed), and what was tried since.
    """

    acknowledged: Any = None
    unsure: list[Any] = field(default_factory=list)

    def lost(self, stored: Any) -> int:
        """How many acknowledged writes are not there."""
        if isinstance(self.acknowledged, int):
            return max(0, self.acknowledged - count_of(stored))
        return int(stored not in (self.acknowledged, *self.unsure))

    def is_invented(self, stored: Any) -> bool:
        """Whether a counter counted what nobody wrote."""
        if not isinstance(self.acknowledged, int):
            return False
        return count_of(stored) > self.acknowledged + len(self.unsure)


def count_of(stored: Any) -> int:
    return int(stored["count"] if isinstance(stored, dict) else stored or 0)


@dataclass
class Journal:
    """`claims`: session key -> name -> claim. `ended`: session key -> how.

    `undecided` are sessions whose end failed with an error. `revived` were seen alive right after
    their end. `settled` (epoch seconds) is when the last of the announced ends has come.
    """

    claims: dict[str, dict[str, Claim]] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    undecided: list[str] = field(default_factory=list)
    revived: list[str] = field(default_factory=list)
    settled: float = 0.0
    operations: int = 0
    acknowledged: int = 0
    conflicts: int = 0
    busy: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def claim(self, key: str, name: str) -> Claim:
        return self.claims.setdefault(key, {}).setdefault(name, Claim())

    def acknowledge(self, key: str, name: str, value: Any) -> None:
        """Note a save: `value` is what is now stored, or for a counter nothing but a step."""
        claim = self.claim(key, name)
        if is_counter(name):
            claim.acknowledged = (claim.acknowledged or 0) + 1
        else:
            claim.acknowledged, claim.unsure = value, []

    def doubt(self, key: str, name: str, value: Any) -> None:
        """Note a save that failed, and may have been stored all the same."""
        claim = self.claim(key, name)
        if is_counter(name):
            claim.acknowledged = claim.acknowledged or 0
        claim.unsure.append(value)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"errors": dict(self.errors)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        claims = {
            key: {name: Claim(**claim) for name, claim in named.items()}
            for key, named in values["claims"].items()
        }
        return cls(**values | {"claims": claims, "errors": Counter(values["errors"])})

    @classmethod
    def joined(cls, journals: Iterable[Journal]) -> Self:
        whole = cls()
        for journal in journals:
            for key, named in journal.claims.items():
                whole.claims.setdefault(key, {}).update(named)
            whole.ended |= journal.ended
            whole.undecided += journal.undecided
            whole.revived += journal.revived
            whole.settled = max(whole.settled, journal.settled)
            whole.operations += journal.operations
            whole.acknowledged += journal.acknowledged
            whole.conflicts += journal.conflicts
            whole.busy += journal.busy
            whole.errors += journal.errors
        return whole


def is_counter(name: str) -> bool:
    return name.endswith((".count", ".cart"))
