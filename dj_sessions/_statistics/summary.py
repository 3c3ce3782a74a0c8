"""The figures of a count, for people, for programs and for a picture."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from dj_sessions._statistics.counters import Histogram
from dj_sessions._statistics.counting import DAY, HOUR, Count

#: Top-level keys that are named.
KEYS: Final = 10


@dataclass(frozen=True)
class Sampled:
    """What was read of how many, and the seed that chooses the same again."""

    size: int
    of: int
    seed: int


@dataclass(frozen=True)
class Bin:
    """Sessions up to a bound: seconds, or bytes; None is what is beyond all."""

    up_to: int | None
    sessions: int


@dataclass(frozen=True)
class Key:
    """A top-level key: its bytes in all sessions before compression, and in how many it is."""

    key: str
    bytes: int
    sessions: int


@dataclass(frozen=True)
class Summary:
    """The figures. With ``sample`` they are estimates; those of users are of the sample alone."""

    engine: str
    live: int
    expired: int | None
    anonymous: int
    authenticated: int
    unreadable: int
    bytes: int
    users: int
    top_users: list[tuple[str, int]]
    users_are_approximate: bool
    ages: list[Bin]
    without_age: int
    sizes: list[Bin]
    keys: list[Key]
    sample: Sampled | None = None

    def as_data(self) -> dict[str, Any]:
        """Return the figures, as JSON can have them."""
        return asdict(self)

    @property
    def mean_size(self) -> int | None:
        """Bytes of a live session as stored; None if no session tells."""
        sized = sum(each.sessions for each in self.sizes)
        return round(self.bytes / sized) if sized else None

    @property
    def median_size(self) -> int | None:
        """The bound that half of the live sessions do not exceed; None: beyond all, or unknown."""
        left = sum(each.sessions for each in self.sizes) / 2
        for each in self.sizes:
            left -= each.sessions
            if left <= 0:
                return each.up_to if each.sessions else None
        return None

    def saved_within(self, seconds: int) -> int:
        """Return how many were saved in the last ``seconds``, which is one of the bounds."""
        return sum(each.sessions for each in self.ages if each.up_to and each.up_to <= seconds)


def summary_of(
    count: Count, engine: str, *, expired: int | None, top: int, sample: Sampled | None = None
) -> Summary:
    """Return the figures of ``count``; ``expired`` is how many there are, None: as counted."""
    scale = sample.of / sample.size if sample is not None and sample.size else 1.0

    def scaled(number: int) -> int:
        return round(number * scale)

    keys = [
        Key(key, scaled(of_it), scaled(count.key_sessions[key]))
        for key, of_it in count.key_bytes.top(KEYS)
    ]
    return Summary(
        engine=engine,
        live=scaled(count.live),
        expired=scaled(count.expired) if expired is None else expired,
        anonymous=scaled(count.anonymous),
        authenticated=scaled(count.live - count.anonymous),
        unreadable=scaled(count.unreadable),
        bytes=scaled(count.bytes),
        users=len(count.users),
        top_users=count.users.top(top),
        users_are_approximate=count.users.is_approximate,
        ages=_bins(count.ages, scale),
        without_age=scaled(count.ageless),
        sizes=_bins(count.sizes, scale),
        keys=keys,
        sample=sample,
    )


def _bins(histogram: Histogram, scale: float) -> list[Bin]:
    return [Bin(bound, sessions) for bound, sessions in histogram.bins(scale)]


def age_label(up_to: int | None, last: int) -> str:
    """Return a bound of ages in words; ``last`` is the last one."""
    seconds = last if up_to is None else up_to
    text = f"{seconds // DAY} d" if seconds >= DAY else f"{seconds // HOUR} h"
    return f"over {text}" if up_to is None else f"up to {text}"


def size_label(up_to: int | None, last: int) -> str:
    """Return a bound of sizes in words."""
    size = last if up_to is None else up_to
    text = f"{size} B"
    for unit, of_it in (("KiB", 1024), ("MiB", 1024**2)):
        if size >= of_it:
            text = f"{size // of_it} {unit}"
    return f"over {text}" if up_to is None else f"up to {text}"


def labelled(bins: list[Bin], label: Any) -> list[tuple[str, int]]:
    """Return the label of each bin and its sessions."""
    last = bins[-2].up_to
    return [(label(each.up_to, last), each.sessions) for each in bins]
