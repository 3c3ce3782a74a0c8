"""The two places of a storage that moves sessions, and what stands there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from dj_sessions._moments import moment
from dj_sessions.storage.base import Record, Storage

Data: TypeAlias = dict[str, Any]

#: The place that sessions leave, and the one that they move to.
SOURCE: Final = 0
TARGET: Final = 1

#: The name under which tickets and claims have their word.
MARK: Final = "#moving"
#: The names under which a claim has the data of its session, when that ends and when it was saved.
DATA: Final = "data"
END: Final = "end"
SAVED: Final = "saved"


class Place(Protocol):
    """A storage, and what is needed to write there what the other one has.

    ``name`` is always the form of a session key under which it is stored.
    """

    @property
    def storage(self) -> Storage:
        """The storage."""

    def data_of(self, name: str, record: Record) -> Data | None:
        """Return the data of a record, a new copy each time; None, and reported, if corrupt."""

    def is_over(self, name: str, record: Record, data: Data) -> bool:
        """Return whether a session that was read has ended, where its data alone tells."""

    def end_of(self, name: str, record: Record, data: Data) -> datetime:
        """Return when the session of a record ends."""

    def saved_in(self, record: Record) -> int | None:
        """Return when a record was saved (seconds since the epoch), None if it does not tell."""

    def record_of(self, name: str, data: Data, end: datetime, saved: int | None = None) -> Record:
        """Return a record of ``data`` that ends at ``end``, and tells that it was ``saved`` then.

        Raises SessionEncodeError for data that it cannot hold.
        """


class Carried(StrEnum):
    """What became of a session that was to be carried from the source to the target."""

    MOVED = "moved"
    #: It has ended, or is in the target already.
    GONE = "gone"
    #: It has expired, and stays where it is until it is cleared.
    EXPIRED = "expired"
    #: It cannot be read, and stays where it is.
    UNREADABLE = "unreadable"
    #: The target cannot hold what is in it, and it stays where it is.
    REFUSED = "refused"
    #: Others have changed it at each attempt.
    BUSY = "busy"


class Placed(NamedTuple):
    """The payload of a session: what stands for it in one of the two places.

    If that is a ticket, ``claim`` is the payload of its claim in the other place.
    """

    place: int
    payload: Any
    claim: Any = None


class Movable(Record):
    """A record to write, which is made for the place where it turns out to go.

    ``make(place, name)`` returns the record for one of them, ``data`` is what it holds.
    """

    __slots__ = ("_data", "_make", "_placed")
    _data: Data
    _make: Callable[[int, str], Record]
    _placed: Placed | None

    expiry = modified = forward = None  # what it is made into has them

    def __init__(self, data: Data, make: Callable[[int, str], Record]) -> None:
        set_ = object.__setattr__
        set_(self, "_data", data)
        set_(self, "_make", make)
        set_(self, "_placed", None)

    def made_for(self, place: int, name: str) -> Record:
        """Return the record for a place, to be stored there under ``name``."""
        return self._make(place, name)

    @property
    def data(self) -> Data:
        """What it holds."""
        return self._data

    @property
    def payload(self) -> Placed | None:
        """What was stored; None before."""
        return self._placed

    def stands(self, placed: Placed) -> None:
        """Note where it was stored, and as what."""
        object.__setattr__(self, "_placed", placed)


@dataclass(frozen=True, slots=True)
class Found(Record):
    """A session that was read; ``copies`` returns its data, a new copy each time."""

    copies: Callable[[], Data | None] = dict
    #: When it was saved (seconds since the epoch), None if it does not tell.
    saved: int | None = None
    #: Whether it has ended, though it still stands there.
    is_over: bool = False

    @property
    def data(self) -> Data | None:
        """A new copy of the data, None if it is corrupt."""
        return self.copies()


class Cell(NamedTuple):
    """What stands under a name in one place: nothing, a session, a forward, a ticket or a claim."""

    record: Record | None
    data: Data | None = None

    @property
    def payload(self) -> Any:
        """The payload of what stands there, None of nothing."""
        return None if self.record is None else self.record.payload

    @property
    def is_forward(self) -> bool:
        """Whether it leads to a new key."""
        return self.record is not None and self.record.forward is not None

    @property
    def is_session(self) -> bool:
        """Whether it is a session, be it one that cannot be read."""
        return self.record is not None and not self.is_forward and self.word is None

    @property
    def word(self) -> str | None:
        """The word of a ticket or a claim, None of anything else."""
        word = None if self.data is None else self.data.get(MARK)
        return word if isinstance(word, str) else None

    @property
    def is_claim(self) -> bool:
        """Whether it is a claim."""
        return self.word is not None and self.data is not None and DATA in self.data

    @property
    def is_ticket(self) -> bool:
        """Whether it is a ticket."""
        return self.word is not None and not self.is_claim


class Times(NamedTuple):
    """When a session ends, and when it was saved (seconds since the epoch); None: nobody knows."""

    end: datetime
    saved: int | None


def times_in(claim: Cell) -> Times:
    """Return the times of the session for which a claim stands."""
    data: Any = claim.data
    return Times(moment(data[END]), data[SAVED])


def fits(ticket: Cell, claim: Cell) -> bool:
    """Return whether the two stand for a session that moves from one place to the other."""
    return ticket.is_ticket and claim.is_claim and ticket.word == claim.word
