"""What an examination of a store has found."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple


class Problem(NamedTuple):
    """What is wrong, and what to do about it.

    ``code`` is that of the check, or a word of this package that stays the same. With ``is_fatal``
    sessions cannot be kept.
    """

    code: str
    what: str
    remedy: str
    is_fatal: bool = True


@dataclass
class Report:
    """The outcome, which grows while the examination goes on.

    ``milliseconds`` has the time of each step, by mode. ``skipped`` has the steps that do not apply
    and why. ``abilities`` is what the storage declares. ``evicts`` says in words whether the server
    forgets sessions before their end; ``lag`` and ``skew`` are seconds, None where there is none to
    measure.
    """

    engine: str
    storage: str = ""
    abilities: dict[str, bool] = field(default_factory=dict)
    milliseconds: dict[str, dict[str, float]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    evicts: str = "unknown"
    lag: float | None = None
    skew: float | None = None
    problems: list[Problem] = field(default_factory=list)
    is_complete: bool = False

    @property
    def works(self) -> bool:
        """Whether everything was tried, and sessions are kept."""
        return self.is_complete and not any(problem.is_fatal for problem in self.problems)

    def as_data(self) -> dict[str, Any]:
        """Return all of it, as JSON can have it."""
        data = asdict(self) | {"works": self.works}
        return data | {"problems": [problem._asdict() for problem in self.problems]}
