"""Copies of sessions in a cache, which must never say what the database would not.

A copy counts if its *validation tag* fits it and is of the present *generation*. Every write into
the cache compares with what was seen before the row was read or written:

- A reader who finds neither copy nor tag takes a *lease* before the row is read, and writes the
  copy only if that is still there. If there is no row, the lease goes.
- Whoever has saved the row writes copy and tag over those that were there when it was loaded. If
  they have changed since then, or are unknown, the tag goes: the next reader asks for the row.
- Whoever ends a session says *busy* in the tag's place before the row goes. So no reader who comes
  before that, or meanwhile, leaves a copy, and a process that dies on the way leaves none either.
  What is busy stays so for a while; where there was no row, nothing stays.
- A transaction that has changed a row says busy until it is over. Each who says so has a word of
  its own, and takes back no other.

What could not be told is made up for by a new generation: see ``generations``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from django.core.cache.backends.base import InvalidCacheKey

from dj_sessions.storage.copies.forms import LEASE, Copy, Form, new_word
from dj_sessions.storage.copies.generations import Generation
from dj_sessions.storage.copies.outage import Outage

R = TypeVar("R")

#: Seconds for which a reader may be stuck between its lease and its copy.
LEASE_AGE: Final = 60
#: Seconds for which a transaction may be open, or a process between two steps of a logout.
BUSY_AGE: Final = 600
#: Each attempt fails because somebody else has written, so a few may follow each other.
ATTEMPTS: Final = 4


class Sight(NamedTuple):
    """What the cache said of a session: the copy, if that counts, and what to compare with.

    ``found`` has the raw values by the names of their entries; None: nothing is to be copied.
    """

    copy: Copy | None = None
    found: Mapping[str, Any] | None = None
    generation: str = ""
    lease: Any = None


class Mark(NamedTuple):
    """What says that a session is busy: our word, and the raw value that it stood in first."""

    word: str
    raw: Any


#: A session that must not be copied.
HIDDEN: Final = Sight()


class Entries:
    """The entries of one session: ``names`` are compared, of which ``guard`` has the tag.

    Each method raises what the cache raises. What only writing refuses, as a full cache does, is
    no error if the copy could be deleted: the outage of ``place``, their server, logs it then.
    """

    def __init__(
        self, form: Form, name: str, place: Hashable, outage: Outage, generation: Generation
    ) -> None:
        self._form = form
        self._adapter = form.adapter
        self._name = name
        self._place = place
        self.outage = outage
        self.generation = generation
        self.names = form.names(name, place)
        self.guard = self.names[-1]

    @property
    def other(self) -> str:
        """The name of the entry that goes with the tag, or of the other form's tag."""
        return self._form.other(self._name, self._place)

    def read(self, *names: str) -> list[Any]:
        """Return what entries have; what cannot be read is deleted, and counts as nothing."""
        try:
            return self._adapter.read_many(names)
        except (OSError, InvalidCacheKey):  # of which some are ValueErrors
            raise
        except self._adapter.unreadable:  # somebody else wrote it
            self._adapter.forget(self.names)
            return self._adapter.read_many(names)

    def lease(self, sight: Sight) -> Sight:
        """Return ``sight`` with the right to make a copy, or HIDDEN."""
        return self._unless_refused(self._lease, sight) or HIDDEN

    def _lease(self, sight: Sight) -> Sight | None:
        guard, found = self.guard, dict(sight.found or {})
        lease = self._adapter.encode(LEASE + new_word()) if found[guard] is None else None
        sight = sight._replace(generation=sight.generation or self._begin())
        if lease is None:
            return sight  # with what is there it can be compared as well
        if self._adapter.insert(guard, lease, LEASE_AGE):
            return sight._replace(found={**found, guard: lease}, lease=lease)
        return None

    def _begin(self) -> str:
        """Return the fingerprint of the generation, which begins where there is none."""
        generation, word = self.generation, self._adapter.encode(new_word())
        if self._adapter.insert(generation.name, word, None):
            return generation.seen(word, self._adapter)
        return generation.seen(self._adapter.read(generation.name), self._adapter)

    def store(self, copy: Copy, age: int, sight: Sight) -> Sight:
        """Store a copy over what was seen; return what is to be seen then, HIDDEN if refused."""
        return self._unless_refused(self._store, copy, age, sight) or HIDDEN

    def _store(self, copy: Copy, age: int, sight: Sight) -> Sight | None:
        generation = sight.generation or self._begin()
        entries = self._form.seal(self.names, copy, generation)
        if generation and self._adapter.write_if(sight.found or {}, entries, age):
            return Sight(None, entries, generation)
        return None

    def store_or_drop(self, copy: Copy, age: int, sight: Sight) -> Sight:
        """Do the same, and leave no copy where it was refused."""
        stored = self.store(copy, age, sight)
        if stored is HIDDEN:
            self.drop()
        return stored

    def hide(self, sight: Sight) -> Mark | bool:
        """Say that the session is busy; return the mark, False if the cache has no room for it."""
        return self._unless_refused(self._hide, sight) or False

    def _hide(self, sight: Sight) -> Mark:
        guard, word = self.guard, new_word()
        raw = self._now(guard) if sight.found is None else sight.found[guard]
        for _ in range(ATTEMPTS):
            mark = self._adapter.encode(self._form.busy(raw, add=word))
            if self._adapter.write_if({guard: raw}, {guard: mark}, BUSY_AGE):
                return Mark(word, mark)
            raw = self._now(guard)
        raise LookupError("The cache did not take what it was told of a session.")

    def _unless_refused(self, write: Callable[..., R], *arguments: Any) -> R | None:
        """Return what ``write`` returns; None, and leave no copy, where a full cache refuses it.

        Raises what the cache raises if it refuses that, too.
        """
        outer = sys.exception()
        try:
            return write(*arguments)
        except InvalidCacheKey:
            raise
        except Exception as error:  # noqa: BLE001 # caches share no class of errors; it is logged
            self.drop()
            self.outage.refused(self._adapter.cache, error, outer, self.names)
            return None

    def take_back(self, lease: Any) -> bool:
        """Give back a lease."""
        self._adapter.remove(self.guard, lease)
        return True

    def unhide(self, mark: Mark) -> bool:
        """Take back what ``hide()`` has said, and nothing else."""
        guard = self.guard
        if not self._adapter.remove(guard, mark.raw):
            self._clear(guard, self._now(guard), mark.word)
        return True

    def drop(self, word: str = "") -> bool:
        """Leave no copy, and nobody the right to make one; what others say is busy stays so."""
        names = self.guard, self.other
        for entry, raw in zip(names, self.read(*names), strict=True):
            self._clear(entry, raw, word)
        return True

    def _clear(self, entry: str, raw: Any, word: str) -> None:
        for _ in range(ATTEMPTS):
            if raw is None:
                return
            rest = self._form.busy(raw, without=word)
            if rest == self._form.value(raw):  # others alone say so
                return
            if not rest:
                cleared = self._adapter.remove(entry, raw)
            else:
                mark = {entry: self._adapter.encode(rest)}
                cleared = self._adapter.write_if({entry: raw}, mark, BUSY_AGE)
            if cleared:
                return
            raw = self._now(entry)
        self._adapter.forget((entry,))

    def _now(self, entry: str) -> Any:
        return self.read(entry)[0]

    def forget(self, *names: str) -> bool:
        """Delete entries."""
        self._adapter.forget(names)
        return True
