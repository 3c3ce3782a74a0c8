"""The steps in which a session moves."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.utils import timezone

from dj_sessions.exceptions import SessionEncodeError
from dj_sessions.storage.base import Record
from dj_sessions.storage.moving.places import (
    DATA,
    END,
    MARK,
    SAVED,
    SOURCE,
    TARGET,
    Carried,
    Cell,
    Data,
    Place,
    Times,
    fits,
    times_in,
)
from dj_sessions.storage.moving.search import ROUNDS, Search
from dj_sessions.storage.steps import Steps

#: For how much longer a ticket stays than the session that is to take its place.
MARGIN: Final = timedelta(days=1)


class Transfer:
    """Moves sessions from the first of the places to the second."""

    def __init__(self, places: Sequence[Place], search: Search) -> None:
        self._source, self._target = places
        self._search = search

    def move(self, name: str, payload: Any, made: Record, data: Data, times: Times) -> Steps:
        """Move a session: in the target it is ``made`` of ``data``, with these times.

        Return False if ``payload`` is not what stands in the source any more.
        """
        ticket = yield from self._ticket(name, times.end)
        if ticket is None:
            return False
        content = {MARK: ticket.word, DATA: data, END: times.end.timestamp(), SAVED: times.saved}
        claim = self._source.record_of(name, content, times.end)
        if not (yield "call", self._source.storage, "replace", name, claim, Record(payload)):
            return False
        # It has moved: whoever finds the ticket beside the claim knows that.
        if (yield from self._put_in_place_of(ticket, name, made)):
            yield "call", self._source.storage, "remove", name, Record(claim.payload)
        return True

    def _put_in_place_of(self, ticket: Cell, name: str, made: Record) -> Steps:
        """Put a session in its place in the target; return whether it, or a later one, is there."""
        for _ in range(ROUNDS):
            if (yield "call", self._target.storage, "replace", name, made, ticket.record):
                return True
            there = yield from self._search.cell(TARGET, name)
            if not there.is_ticket or there.word != ticket.word:
                return True  # somebody else was faster, and it may have ended since
            ticket = there  # which was made to last longer
        return False

    def _ticket(self, name: str, end: datetime) -> Steps:
        """Return a ticket for a session that ends at ``end``; None: it is not in the source."""
        storage, word = self._target.storage, secrets.token_urlsafe(12)
        ticket = self._new_ticket(name, word, end)
        if (yield "call", storage, "insert", name, ticket.record):
            return ticket
        there = yield from self._search.cell(TARGET, name)
        if there.is_ticket:  # of somebody who moves it as well, or was stopped
            if there.data[END] >= end.timestamp():
                return there
            ticket = self._new_ticket(name, there.word, end)
        elif not there.is_claim or not (yield from self._search.cell(SOURCE, name)).is_session:
            return None
        # A claim of a move back that is over, as the session itself is in the source.
        replaced = yield "call", storage, "replace", name, ticket.record, there.record
        return ticket if replaced else None

    def _new_ticket(self, name: str, word: str, end: datetime) -> Cell:
        until = max(end, timezone.now()) + MARGIN
        content = {MARK: word, END: until.timestamp()}
        return Cell(self._target.record_of(name, content, until), content)

    def carry(self, name: str) -> Steps:
        """Move the session that stands in the source as it is; return what became of it."""
        cell = yield from self._search.cell(SOURCE, name, "read_whole")
        if cell.is_claim:
            return (yield from self._finish(name, cell))
        if cell.is_ticket:
            return (yield from self._finish_back(name, cell))
        if cell.record is None and (yield "call", self._source.storage, "holds", name):
            return Carried.EXPIRED  # a row stays until it is cleared
        if not cell.is_session:
            return Carried.GONE
        record, data = cell
        if data is None:
            return Carried.UNREADABLE
        times = Times(self._source.end_of(name, record, data), self._source.saved_in(record))
        if times.end <= timezone.now() or self._source.is_over(name, record, data):
            return Carried.EXPIRED
        try:
            made = self._target.record_of(name, data, *times)
        except SessionEncodeError:
            return Carried.REFUSED
        if (yield from self.move(name, record.payload, made, data, times)):
            return Carried.MOVED
        there = yield from self._search.cell(TARGET, name)
        # The same in both is what keeps the name free, or has just been moved by somebody else.
        return Carried.GONE if there.data == data else Carried.BUSY

    def _finish(self, name: str, claim: Cell) -> Steps:
        """Do what is left of a move after its claim."""
        ticket = yield from self._search.cell(TARGET, name)
        is_under_way = fits(ticket, claim)
        if is_under_way and claim.data is not None:
            made = self._target.record_of(name, claim.data[DATA], *times_in(claim))
            if not (yield "call", self._target.storage, "replace", name, made, ticket.record):
                return Carried.BUSY
        yield "call", self._source.storage, "remove", name, claim.record
        return Carried.MOVED if is_under_way else Carried.GONE

    def _finish_back(self, name: str, ticket: Cell) -> Steps:
        """Do what is left of a move back, so that its session can be carried from the source."""
        claim = yield from self._search.cell(TARGET, name)
        if claim.data is None or not fits(ticket, claim):
            return Carried.GONE
        made = self._source.record_of(name, claim.data[DATA], *times_in(claim))
        if (yield "call", self._source.storage, "replace", name, made, ticket.record):
            yield "call", self._target.storage, "remove", name, claim.record
        return Carried.BUSY
