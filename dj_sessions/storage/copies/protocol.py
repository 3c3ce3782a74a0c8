"""What a cache is asked and told of a session, and what happens where it does not answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dj_sessions._codec import signed_text
from dj_sessions._metrics.instruments import COPY_RENEWALS
from dj_sessions._metrics.recording import record, recorders
from dj_sessions.storage.copies import generations
from dj_sessions.storage.copies.entries import HIDDEN, Entries, Mark, Sight
from dj_sessions.storage.copies.forms import Copy, Form, beside
from dj_sessions.storage.copies.outage import of as outage_of


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
        self._entries: dict[str, Entries] = {}

    # Readers

    def look(self, name: str) -> Sight:
        """Return what the cache has; of one that cannot be asked, or believed, nothing."""
        entries = self._of(name)
        generation = entries.generation
        if generation.is_behind and not self._catch_up(entries):
            return HIDDEN
        names = *entries.names, generation.name
        raws = entries.outage.read(self._cache, entries.names, entries.read, *names)
        if raws is None:
            if generation.raw is None:  # what others could not tell either, nobody here knows
                generations.fell_behind(generation.key)
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
        entries = self._of(name)
        return self._write(entries, entries.lease, sight) or HIDDEN

    def fresh(self, name: str) -> Sight:
        """Return the sight of a session that nobody else knows of yet."""
        entries = self._of(name)
        fingerprint = entries.generation.fingerprint
        return Sight(found=dict.fromkeys(entries.names), generation=fingerprint)

    def withdraw(self, name: str, sight: Sight) -> None:
        """Give back a lease that was taken for nothing."""
        if sight.lease is not None:
            entries = self._of(name)
            self._write(entries, entries.take_back, sight.lease)

    def copy(self, name: str, copy: Copy | None, age: int, sight: Sight) -> Sight:
        """Store the copy of a row that was read, if nothing has changed since ``sight``."""
        if sight.found is None or copy is None or age <= 0:
            self.withdraw(name, sight)
            return HIDDEN
        entries = self._of(name)
        return self._write(entries, entries.store, copy, age, sight) or HIDDEN

    # Whoever has changed the row

    def replace(self, name: str, copy: Copy | None, age: int, sight: Sight) -> Sight:
        """Store the copy of a row that was written, or leave none that might be old."""
        entries = self._of(name)
        if sight.found is None or copy is None or age <= 0:
            self._tell(entries, entries.drop)
            return HIDDEN
        return self._tell(entries, entries.store_or_drop, copy, age, sight) or HIDDEN

    def hide(self, name: str, sight: Sight = HIDDEN) -> Mark | None:
        """Have every reader ask for the row; return what says so, None if nothing does."""
        entries = self._of(name)
        return self._tell(entries, entries.hide, sight) or None

    def reveal(self, name: str, mark: Mark | None) -> None:
        """Have readers make copies again: the row has changed, or it has not after all."""
        entries = self._of(name)
        self._tell(entries, entries.drop, "" if mark is None else mark.word)

    def unhide(self, name: str, mark: Mark | None) -> None:
        """Leave nothing of a session that there was not, or that is as it was."""
        if mark is not None:
            entries = self._of(name)
            self._write(entries, entries.unhide, mark)

    def end(self, name: str, mark: Mark | None) -> None:
        """Leave no data of a session whose row is gone."""
        entries = self._of(name)
        everything = *entries.names, entries.other
        names = everything if mark is None else (entries.other,)
        self._tell(entries, entries.forget, *names)

    def end_late(self, name: str, mark: Mark | None) -> None:
        """Do so long after the session was hidden: what said so may be over, or evicted."""
        entries = self._of(name)
        self._tell(entries, entries.drop)
        self.end(name, mark)

    # What could not be told

    def _write(self, entries: Entries, call: Callable[..., Any], *arguments: Any) -> Any:
        return entries.outage.write(self._cache, entries.names, call, *arguments)

    def _tell(self, entries: Entries, call: Callable[..., Any], *arguments: Any) -> Any:
        """Return what ``call`` returns, or None, which a new generation has to make up for."""
        told = None
        if not entries.generation.is_behind or self._catch_up(entries):
            told = self._write(entries, call, *arguments)
        if told is None:
            generations.fell_behind(entries.generation.key)
        return told

    def _catch_up(self, entries: Entries) -> bool:
        """Make up for what the cache was not told; return whether that worked."""
        generation = entries.generation
        missed = generation.missed
        # The next to need one begins it: what is deleted, a full cache gives up as well.
        if not self._write(entries, entries.forget, generation.name):
            return False
        generation.caught_up(missed)
        if recorders:
            record(COPY_RENEWALS, 1, self._alias)
        return True

    # Where things are

    def _of(self, name: str) -> Entries:
        return self._entries.get(name) or self._find(name)

    def _find(self, name: str) -> Entries:
        adapter = self._form.adapter
        place = adapter.place(name)
        key = self._alias, place, self._cache.make_key(self._stem), signed_text.secret()
        generation = generations.of(key)
        if not generation.name:
            generation.name = beside(adapter, self._stem, place)
        entries = Entries(self._form, name, place, outage_of(self._alias, place), generation)
        self._entries[name] = entries
        return entries
