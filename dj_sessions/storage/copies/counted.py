"""Copies that tell what is found in the cache, where somebody counts that."""

from __future__ import annotations

from typing import Final

from dj_sessions._metrics.instruments import COPY_READS
from dj_sessions._metrics.recording import record
from dj_sessions.storage.copies.entries import Sight
from dj_sessions.storage.copies.forms import LEASE
from dj_sessions.storage.copies.protocol import Copies

#: The outcomes of a look. Of all but a hit the database is asked.
HIT: Final = "hit"
#: There is nothing.
MISS: Final = "miss"
#: Another request has asked the database, and is about to make the copy.
LEASED: Final = "leased"
#: A request is changing or ending the session.
BUSY: Final = "busy"
#: There is a copy without a tag: Django's own engine has written it, or the tag was evicted.
UNTAGGED: Final = "untagged"
#: The tag is of a former generation, or of another copy.
STALE: Final = "stale"
#: The cache does not answer, or has not yet been told of all that this process has changed.
UNAVAILABLE: Final = "unavailable"

OUTCOMES: Final = (HIT, MISS, LEASED, BUSY, UNTAGGED, STALE, UNAVAILABLE)


class CountedCopies(Copies):
    """Copies whose looks are counted."""

    def look(self, name: str) -> Sight:
        sight = super().look(name)
        record(COPY_READS, 1, self._alias, HIT if sight.copy else self._why(name, sight))
        return sight

    def _why(self, name: str, sight: Sight) -> str:
        entries = self._of(name)
        if sight.found is None:
            is_down = entries.outage.is_going_on or entries.generation.is_behind
            return UNAVAILABLE if is_down else BUSY
        tag = self._form.value(sight.found[entries.guard])
        if tag is None:
            return MISS if all(raw is None for raw in sight.found.values()) else UNTAGGED
        return LEASED if isinstance(tag, str) and tag.startswith(LEASE) else STALE
