"""Counting the sessions of the engine in the settings: all of them, or a sample."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from django.utils import timezone

from dj_sessions._statistics.counting import Count
from dj_sessions._statistics.summary import Sampled, Summary, summary_of
from dj_sessions.backends.stored import StoredSession
from dj_sessions.conf import conf, store_class
from dj_sessions.storage import Storage
from dj_sessions.storage.listing import all_entries

#: Sessions that are held in memory.
BATCH: Final = 500


class Survey:
    """A count of the sessions of the engine; it reads, and writes nothing.

    With ``sample`` it reads so many sessions, chosen by ``seed``, and estimates the rest. Raises
    NotImplementedError if the store cannot list its sessions, also from ``read()``.
    """

    def __init__(self, sample: int | None = None, seed: int | None = None) -> None:
        self._size = sample
        self._seed = random.SystemRandom().randrange(10**6) if seed is None else seed
        self._total = 0
        #: The class of the engine.
        self.store = store_class()
        if not issubclass(self.store, StoredSession):
            raise NotImplementedError("they are not in a storage of this package")
        self._storage: Storage = self.store().get_storage()
        self._count = Count(self.store)

    @property
    def seen(self) -> int:
        """All sessions that were read."""
        return self._count.seen

    def read(self, after_batch: Callable[[int], None] = lambda number: None) -> None:
        """Read them; ``after_batch`` is told of each batch how many there are in it."""
        if self._size is None:
            entries = all_entries(self._storage, BATCH)
        else:
            chooser = random.Random(self._seed)  # noqa: S311 # whoever has the seed may know
            self._total, entries = self._storage.sample(self._size, chooser)
        for batch in entries:
            for entry in batch:
                self._count.add(entry)
            after_batch(len(batch))

    def summary(self, *, top: int) -> Summary:
        """Return the figures, with the ``top`` users that have most sessions."""
        sample = expired = None
        # Of a store with fewer names all are read, and some of them may be of no session.
        if self._size is not None and self._size < self._total:
            sample = Sampled(self.seen, self._total, self._seed)
        if self._storage.database is not None:  # what has expired is not among the entries
            expired = self._storage.start_purge(timezone.now()).count()
        engine = conf.SESSION_ENGINE
        return summary_of(self._count, engine, expired=expired, top=top, sample=sample)
