"""What a cache is asked and told of a session, and what happens where it does not answer."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, NamedTuple

from dj_sessions._codec import signed_text
from dj_sessions.storage.copies import generations
from dj_sessions.storage.copies.entries import HIDDEN, Entries, Mark, Sight
from dj_sessions.storage.copies.forms import Copy, Form, beside
from dj_sessions.storage.copies.outage import Outage
from dj_sessions.storage.copies.outage import of as outage_of


class Spot(NamedTuple):
    """Where a session is: its entries, their generation and its key, their server's outages."""

    entries: Entries
    key: Hashable
    outage: Outage
    generation: generations.Generation


class Copies:
    """The copies in one cache; the generation's entry stands under ``prefix``.

    What can be done without the cache goes on without it. What could not be told is made up for by
    a new generation.
    """

    def __init__(self, cache: Any, alias: str, prefix: str, form: Form) -> None:
        self._cache = cache
        self._alias = alias
        self._stem = f"{prefix}/generation"
        self._form = form
        self._spots: dict[str, Spot] = {}

    # Readers

    def look(self, name: str) -> Sight:
        """Return what the cache has; of one that cannot be asked, or believed, nothing."""
        spot = self._spot(name)
        generation, entries = spot.generation, spot.entries
        if generation.is_behind and not self._catch_up(spot):
            return HIDDEN
        names = *entries.names, generation.name
        raws = spot.outage.read(self._cache, entries.names, entries.read, *names)
        if raws is None:
            if generation.raw is None:  # what others could not tell either, nobody here knows
                generations.fell_behind(spot.key)
            return HIDDEN
        found = dict(zip(entries.names, raws, strict=False))
        fingerprint = generation.seen(raws[-1], self._form.adapter)
        copy = self._form.open(name, found, fingerprint) if fingerprint else None
        if copy is None and self._form.is_busy(found.values()):
            return HIDDEN
        return Sight(copy, found, fingerprint)

    def lease(self, name: str, sight: Sight) -> Sight:
        """Return ``sight`` with the right to make a copy, or HIDDEN; before the row is read."""
        if sight.found is None:
            return HIDDEN
        spot = self._spot(name)
        return self._write(spot, spot.entries.lease, sight) or HIDDEN

    def fresh(self, name: str) -> Sight:
        """Return the sight of a session that nobody else knows of yet."""
        spot = self._spot(name)
        fingerprint = spot.generation.fingerprint
        return Sight(found=dict.fromkeys(spot.entries.names), generation=fingerprint)

    def withdraw(self, name: str, sight: Sight) -> None:
        """Give back a lease that was taken for nothing."""
        if sight.lease is not None:
            spot = self._spot(name)
            self._write(spot, spot.entries.take_back, sight.lease)

    def copy(self, name: str, copy: Copy | None, age: int, sight: Sight) -> Sight:
        """Store the copy of a row that was read, if nothing has changed since ``sight``."""
        if sight.found is None or copy is None or age <= 0:
            self.withdraw(name, sight)
            return HIDDEN
        spot = self._spot(name)
        return self._write(spot, spot.entries.store, copy, age, sight) or HIDDEN

    # Whoever has changed the row

    def replace(self, name: str, copy: Copy | None, age: int, sight: Sight) -> Sight:
        """Store the copy of a row that was written, or leave none that might be old."""
        spot = self._spot(name)
        if sight.found is None or copy is None or age <= 0:
            self._tell(spot, spot.entries.drop)
            return HIDDEN
        return self._tell(spot, spot.entries.store_or_drop, copy, age, sight) or HIDDEN

    def hide(self, name: str, sight: Sight = HIDDEN) -> Mark | None:
        """Have every reader ask for the row; return what says so, None if nothing does."""
        spot = self._spot(name)
        return self._tell(spot, spot.entries.hide, sight) or None

    def reveal(self, name: str, mark: Mark | None) -> None:
        """Have readers make copies again: the row has changed, or it has not after all."""
        spot = self._spot(name)
        self._tell(spot, spot.entries.drop, "" if mark is None else mark.word)

    def unhide(self, name: str, mark: Mark | None) -> None:
        """Leave nothing of a session that there was not, or that is as it was."""
        if mark is not None:
            spot = self._spot(name)
            self._write(spot, spot.entries.unhide, mark)

    def end(self, name: str, mark: Mark | None) -> None:
        """Leave no data of a session whose row is gone."""
        spot = self._spot(name)
        everything = *spot.entries.names, spot.entries.other
        names = everything if mark is None else self._form.leftovers(name)
        self._tell(spot, spot.entries.forget, *names)

    def end_late(self, name: str, mark: Mark | None) -> None:
        """Do so long after the session was hidden: what said so may be over, or evicted."""
        spot = self._spot(name)
        self._tell(spot, spot.entries.drop)
        self.end(name, mark)

    # What could not be told

    def _write(self, spot: Spot, call: Callable[..., Any], *arguments: Any) -> Any:
        return spot.outage.write(self._cache, spot.entries.names, call, *arguments)

    def _tell(self, spot: Spot, call: Callable[..., Any], *arguments: Any) -> Any:
        """Return what ``call`` returns, or None, which a new generation has to make up for."""
        told = None
        if not spot.generation.is_behind or self._catch_up(spot):
            told = self._write(spot, call, *arguments)
        if told is None:
            generations.fell_behind(spot.key)
        return told

    def _catch_up(self, spot: Spot) -> bool:
        """Make up for what the cache was not told; return whether that worked."""
        generation = spot.generation
        missed = generation.missed
        # The next to need one begins it: what is deleted, a full cache gives up as well.
        if not self._write(spot, spot.entries.forget, generation.name):
            return False
        generation.caught_up(missed)
        return True

    def _refused(self, outage: Outage, name: str, error: Exception, outer: Any) -> None:
        outage.refused(self._cache, error, outer, (name,))

    # Where things are

    def _spot(self, name: str) -> Spot:
        if name not in self._spots:
            adapter = self._form.adapter
            place = adapter.place(name)
            key = self._alias, place, self._cache.make_key(self._stem), signed_text.secret()
            outage, generation = outage_of(self._alias, place), generations.of(key)
            if not generation.name:
                generation.name = beside(adapter, self._stem, place)
            refused = partial(self._refused, outage, name)
            entries = Entries(self._form, name, generation, refused)
            self._spots[name] = Spot(entries, key, outage, generation)
        return self._spots[name]
