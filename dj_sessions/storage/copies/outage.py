"""A cache that fails: it is left alone for a moment, and the log says so once."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final, TypeAlias, TypeVar

from django.core.cache.backends.base import InvalidCacheKey
from django.core.signals import setting_changed

from dj_sessions._metrics.instruments import OUTAGE_DURATION, OUTAGES
from dj_sessions._metrics.recording import record, recorders
from dj_sessions.storage.copies import errors

R = TypeVar("R")

#: The names of entries.
Names: TypeAlias = Iterable[str]

#: Seconds in which one line is logged for a server that fails.
LOG_INTERVAL: Final = 60
#: Seconds for which a server that has failed is left alone, at first and at most.
FIRST_REST: Final = 0.1
LONGEST_REST: Final = 5.0
#: Seconds after which another request tries, where the one that tries has no answer yet.
CLAIM: Final = 10.0

logger = logging.getLogger("django.contrib.sessions")

#: Held for a few lines at a time, never while a cache is waited for.
lock: Final = threading.Lock()


class Backoff:
    """Who may ask a server that has failed: one request, after a moment that grows."""

    def __init__(self) -> None:
        #: Seconds for which it is left alone; 0 while it answers.
        self.rest = 0.0
        self._until = 0.0

    def admits(self) -> bool:
        """Return whether a server that fails is to be asked now; who hears so says how it went."""
        with lock:
            now = time.monotonic()
            if now < self._until:
                return False
            self._until = now + CLAIM
            return True

    def failed(self) -> None:
        """Have the server left alone."""
        with lock:
            self.rest = min(max(2 * self.rest, FIRST_REST), LONGEST_REST)
            self._until = time.monotonic() + self.rest

    def worked(self) -> None:
        """Have everybody ask it again."""
        self.rest = 0.0


class Outage:
    """What all threads of this process know of the failures of one server of a cache.

    A server that does not answer readers is not written to either. One that refuses what is written
    goes on being read.
    """

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self._reads, self._writes = Backoff(), Backoff()
        #: Whether nothing was written since the reads began to fail.
        self._writes_follow_reads = True
        self._logged_at = float("-inf")
        self._missed = 0
        self._is_announced = False
        #: Since when (``time.monotonic()``) it fails, None while it does not.
        self._since: float | None = None
        #: How many of its outages are over.
        self._ended = 0

    @property
    def is_going_on(self) -> bool:
        """Whether readers are not answered."""
        return self._reads.rest > 0

    def read(self, cache: Any, names: Names, call: Callable[..., R], *args: Any) -> R | None:
        """Return what ``call`` returns; None if it raised, or if the server is left alone.

        ``names`` are what the log of an error must not say.
        """
        return self._guard(self._reads, cache, names, call, *args)

    def write(self, cache: Any, names: Names, call: Callable[..., R], *args: Any) -> R | None:
        """Do the same with what is written."""
        return self._guard(self._writes, cache, names, call, *args)

    def refused(self, cache: Any, error: Exception, outer: Any, names: Iterable[str]) -> None:
        """Log what a server that goes on serving did not take, as a full one does."""
        self._log("saving to", cache, error, outer, names)

    def _guard(
        self, backoff: Backoff, cache: Any, names: Names, call: Callable[..., R], *args: Any
    ) -> R | None:
        if backoff.rest and not backoff.admits():
            self._missed += 1
            return None
        # What was asked before others failed, or before it was over, tells nothing of the outage.
        is_trial, ended = bool(self._missed or backoff.rest), self._ended
        outer = sys.exception()
        try:
            result = call(*args)
        except InvalidCacheKey:  # no outage ends that
            raise
        except Exception as error:  # noqa: BLE001 # caches share no class of errors; it is logged
            if ended == self._ended:
                self._begin()
            self._failed(backoff, cache, error, outer, (*names, *args))
            return None
        if is_trial:
            self._worked(backoff)
        return result

    def _failed(
        self, backoff: Backoff, cache: Any, error: Exception, outer: Any, args: Any
    ) -> None:
        self._missed += 1
        backoff.failed()
        self._writes_follow_reads = backoff is self._reads
        if self._writes_follow_reads:
            self._writes.failed()
        action = "reading from" if backoff is self._reads else "saving to"
        if self._log(action, cache, error, outer, args):
            self._is_announced = True

    def _worked(self, backoff: Backoff) -> None:
        backoff.worked()
        if self._writes_follow_reads and backoff is self._reads:
            self._writes.worked()
        if self._reads.rest or self._writes.rest:
            return
        with lock:
            missed, self._missed = self._missed, 0
            announced, self._is_announced = self._is_announced, False
        self._end()
        if announced:
            logger.warning(
                "The cache %r answers again; sessions did without it %d times.", self.alias, missed
            )

    def _begin(self) -> None:
        with lock:
            begins = self._since is None
            if begins:
                self._since = time.monotonic()
        if begins and recorders:
            record(OUTAGES, 1, self.alias)

    def _end(self) -> None:
        with lock:
            since, self._since = self._since, None
            self._ended += since is not None
        if since is not None and recorders:
            record(OUTAGE_DURATION, time.monotonic() - since, self.alias)

    def _log(
        self, action: str, cache: Any, error: Exception, outer: Any, args: Iterable[Any]
    ) -> bool:
        """Log an error, unless another one was a moment ago; return whether it was logged."""
        with lock:
            if time.monotonic() - self._logged_at < LOG_INTERVAL:
                return False
            self._logged_at = time.monotonic()
        said = errors.to_log(error, outer, args)
        # Django's message, word for word; the cache in it has another address each time.
        extra = {"cache_alias": self.alias}
        logger.error(f"Error {action} cache (%s)", cache, exc_info=said, extra=extra)
        return True


_outages: dict[tuple[str, Hashable], Outage] = {}


def _begin_in_process() -> None:
    """Have a process that was forked off in an outage count it itself, once it meets that."""
    lock.release()
    for outage in _outages.values():
        outage._since = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lock.acquire, after_in_parent=lock.release, after_in_child=_begin_in_process
    )


def of(alias: str, place: Hashable = None) -> Outage:
    """Return what is known of the cache ``alias``, or of its server ``place`` of several."""
    key = alias, place
    return _outages.get(key) or _outages.setdefault(key, Outage(alias))


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting == "CACHES":
        _outages.clear()


setting_changed.connect(_forget, dispatch_uid="dj_sessions.outage")
