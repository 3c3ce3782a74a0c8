"""The generations of validation tags, as this process knows them.

What a cache could not be told makes this process believe no copy, until it has begun a new
generation: then none of the copies that there are counts for anybody.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Final

from django.core.signals import setting_changed

from dj_sessions.storage.caches import digest
from dj_sessions.storage.copies.outage import lock

#: A key function may make one generation for each tenant of a site.
MOST_KNOWN: Final = 1024


class Generation:
    """The word that all tags of one place have in them, and whether this process owes it a new one.

    ``raw`` is as the cache has it, None while it is unknown; ``fingerprint`` is what tags are made
    with, as clients write one word variously.
    """

    __slots__ = ("fingerprint", "is_behind", "key", "missed", "name", "raw")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        #: That of its entry, empty until somebody has made it.
        self.name = ""
        self.raw: Any = None
        self.fingerprint = ""
        #: Whether something could not be told since the last renewal, and the last such thing.
        self.is_behind = False
        self.missed: object = None

    def seen(self, raw: Any, adapter: Any) -> str:
        """Note the word as it was read, None if there is none; return its fingerprint."""
        if raw is None:
            self.raw, self.fingerprint = None, ""
        elif self.raw is None or self.raw != raw:
            self.raw, self.fingerprint = raw, digest(adapter.comparable(raw))
        return self.fingerprint

    def caught_up(self, missed: object) -> None:
        """Note a renewal, which makes up for what was missed until then."""
        with lock:
            if self.missed is missed:
                self.is_behind = False
        self.raw, self.fingerprint = None, ""


_known: OrderedDict[Hashable, Generation] = OrderedDict()


def of(key: Hashable) -> Generation:
    """Return the generation of a place; those that were not used for long are forgotten."""
    with lock:
        return _find(key)


def fell_behind(key: Hashable) -> None:
    """Note that something could not be told."""
    with lock:  # so that nobody forgets the generation meanwhile
        found = _find(key)
        found.missed, found.is_behind = object(), True


def _find(key: Hashable) -> Generation:
    found = _known.get(key)
    if found is not None:
        _known.move_to_end(key)
        return found
    if len(_known) >= MOST_KNOWN:
        _forget_oldest()
    found = _known[key] = Generation(key)
    return found


def _forget_oldest() -> None:
    for key, generation in _known.items():
        if not generation.is_behind:  # what is owed is remembered, for as long as it is
            del _known[key]
            return


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting == "CACHES":
        _known.clear()


setting_changed.connect(_forget, dispatch_uid="dj_sessions.generations")
