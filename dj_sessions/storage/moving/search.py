"""Where a session stands: in one of the two places, or on the way between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from django.utils import timezone

from dj_sessions.storage.base import Record
from dj_sessions.storage.moving.places import DATA, Cell, Data, Found, Place, Placed, fits, times_in
from dj_sessions.storage.steps import Steps

#: How often both places are looked at, while others move the session to and fro.
ROUNDS: Final = 16


class Search:
    """Looks for sessions in the places, first in the one with the number ``first``.

    ``known`` has what was found last under each name.
    """

    def __init__(self, places: Sequence[Place], first: int) -> None:
        self._places = places
        self.first = first
        self.known: dict[str, Placed] = {}

    def look(self, name: str, read: str = "read_latest") -> Steps:
        """Return the session, or else the forward, that stands under a name; None if none does."""
        first, other = self.first, 1 - self.first
        cells = {first: (yield from self.cell(first, name, read))}
        for _ in range(ROUNDS):
            if cells[first].is_session:
                return self._found(name, cells[first], first)
            cells[other] = yield from self.cell(other, name, read)
            found = self._judged(name, cells)
            if found is not None:
                return found
            # It may have moved between the two looks.
            before = cells[first]
            cells = {first: (yield from self.cell(first, name, read))}
            if cells[first].payload == before.payload:
                break
        return None

    def cell(self, place: int, name: str, read: str = "read_latest") -> Steps:
        """Return what stands under a name in one place."""
        record = yield "call", self._places[place].storage, read, name
        if record is None or record.forward is not None:
            return Cell(record)
        return Cell(record, self._places[place].data_of(name, record))

    def _judged(self, name: str, cells: dict[int, Cell]) -> Record | None:
        for place, cell in cells.items():
            if cell.is_session:
                return self._found(name, cell, place)
        for place in cells:
            if fits(cells[place], cells[1 - place]):
                return self._claimed(name, cells, place)
        return next((cell.record for cell in cells.values() if cell.is_forward), None)

    def _found(self, name: str, cell: Cell, number: int) -> Found:
        place, record = self._places[number], _record_in(cell)
        placed = self.known[name] = Placed(number, record.payload)
        return Found(
            placed,
            record.expiry,
            copies=_copies(cell, partial(place.data_of, name, record)),
            saved=place.saved_in(record),
            is_over=place.is_over(name, record, cell.data or {}),
        )

    def _claimed(self, name: str, cells: dict[int, Cell], number: int) -> Found:
        """Return the session for which the ticket in a place stands, beside its claim."""
        claim, times = cells[1 - number], times_in(cells[1 - number])
        placed = Placed(number, cells[number].payload, claim.payload)
        self.known[name] = placed
        again = partial(self._places[1 - number].data_of, name, _record_in(claim))
        is_over = times.end <= timezone.now()
        copies = _copies(claim, again, DATA)
        return Found(placed, times.end, copies=copies, saved=times.saved, is_over=is_over)


def _record_in(cell: Cell) -> Record:
    record: Any = cell.record
    return record  # type: ignore[no-any-return]


def _copies(
    cell: Cell, again: Callable[[], Data | None], name: str | None = None
) -> Callable[[], Data | None]:
    """Return what returns a new copy of the data in a cell each time, of that under ``name``."""
    first = [cell.data]

    def copy() -> Data | None:
        data = first.pop() if first else None if cell.data is None else again()
        return data if name is None or data is None else data[name]

    return copy
