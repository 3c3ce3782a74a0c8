"""A cache that is not there for a while: said once, and told later what it missed."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, ParamSpec, TypeVar

from django.core.cache import BaseCache, caches
from django.core.cache.backends.base import InvalidCacheKey
from django.core.signals import setting_changed

from dj_sessions.storage.copies import errors

P = ParamSpec("P")
R = TypeVar("R")

#: Seconds in which one line is logged for a cache that fails.
LOG_INTERVAL: Final = 60
#: Seconds between attempts to tell a cache what it missed.
RETRY_INTERVAL: Final = 1
#: More than so many messages are not kept one by one.
MOST_PENDING: Final = 256
#: Seconds for which a process that ends waits for a cache that it has something to tell.
LEAVE_TIMEOUT: Final = 2

logger = logging.getLogger("django.contrib.sessions")


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """What a cache has to be told of the session ``name``, by calling ``tell`` with it.

    ``tell_all`` says it of all sessions, under the name ``all_names``. A message that ``is_final``
    gives way to none that is not.
    """

    name: str
    tell: Callable[[BaseCache], object]
    all_names: str
    tell_all: Callable[[BaseCache], object]
    is_final: bool = False


class Outage:
    """What is known of the failures of one cache, by all threads of this process."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self._pending: dict[str, Message] = {}
        #: Of each of these all sessions have to be told.
        self._behind_as_a_whole: dict[str, Message] = {}
        self._leaving = threading.Event()
        self._failed_at = self._logged_at = self._told_in_vain_at = float("-inf")
        self._failures = 0
        self._is_announced = False
        self.begin_in_process()

    def begin_in_process(self) -> None:
        """Begin without the threads and the locks of the process that forked this one off."""
        self._lock = threading.Lock()
        #: Held while the cache is told something, which may take as long as its client waits.
        self._telling = threading.Lock()
        self._teller: threading.Thread | None = None

    def guard(
        self, action: str, cache: BaseCache, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R | None:
        """Return what ``call`` returns, or None if it raised, which is logged."""
        outer = sys.exception()
        try:
            result = call(*args, **kwargs)
        except InvalidCacheKey:  # no outage ends that
            raise
        except Exception as error:  # caches share no class of errors; it is logged
            if self._is_to_be_logged():
                arguments = *args, *getattr(call, "args", ())
                said = errors.to_log(error, outer, arguments)
                # Django's message, word for word; the cache in it has another address each time.
                extra = {"cache_alias": self.alias}
                logger.error(f"Error {action} cache (%s)", cache, exc_info=said, extra=extra)
            return None
        if self._failures or self._has_to_tell:
            self._answers_again(cache)
        return result

    def has_just_failed(self) -> bool:
        """Tell whether the cache failed a moment ago, so that to ask it again may take long."""
        return bool(self._failures) and time.monotonic() - self._failed_at < RETRY_INTERVAL

    def is_behind(self, name: str) -> bool:
        """Tell whether the cache has not been told yet what happened to ``name``."""
        return name in self._pending or bool(self._behind_as_a_whole)

    @property
    def _has_to_tell(self) -> bool:
        return bool(self._pending or self._behind_as_a_whole)

    def tell_later(self, message: Message) -> None:
        """Tell the cache once it answers; if there is much to tell, something of all sessions."""
        with self._lock:
            before = self._pending.get(message.name)
            if before is None or message.is_final or not before.is_final:
                self._pending.pop(message.name, None)
                self._pending[message.name] = message
            if len(self._pending) > MOST_PENDING:
                # The latest stay: a row may be there for a while after its session was ended, and
                # whoever reads it in a new generation would copy it.
                oldest = self._pending.pop(next(iter(self._pending)))
                self._behind_as_a_whole[oldest.all_names] = oldest
            if self._teller is None or not self._teller.is_alive():
                self._teller = threading.Thread(
                    target=self._keep_telling, name=f"sessions-{self.alias}", daemon=True
                )
                self._teller.start()

    def tell(self, cache: BaseCache | None = None) -> bool:
        """Tell the cache what it missed; tell whether it knows everything now.

        Whoever gives its own cache does not wait for another thread that is telling.
        """
        if not self._telling.acquire(blocking=cache is None):
            return False
        try:
            for message in (*self._behind_as_a_whole.values(), *self._pending.values()):
                if not self._tell(message, caches[self.alias] if cache is None else cache):
                    return False
        finally:
            self._telling.release()
        return True

    def _tell(self, message: Message, cache: BaseCache) -> bool:
        is_of_all = self._behind_as_a_whole.get(message.all_names) is message
        if not is_of_all and self._pending.get(message.name) is not message:
            return True
        try:
            (message.tell_all if is_of_all else message.tell)(cache)
        except Exception:  # noqa: BLE001 # the outage goes on
            return False
        with self._lock:
            if self._behind_as_a_whole.get(message.all_names) is message:
                if is_of_all:
                    del self._behind_as_a_whole[message.all_names]
            elif self._pending.get(message.name) is message:
                del self._pending[message.name]
        return True

    def _keep_telling(self) -> None:
        while True:
            is_leaving = self._leaving.wait(RETRY_INTERVAL)
            knows_everything = self.tell()
            with self._lock:
                if is_leaving or (knows_everything and not self._has_to_tell):
                    self._teller = None
                    break
        caches[self.alias].close()  # this thread's own connection

    def leave(self) -> None:
        """Have the cache told a last time, unless that takes long."""
        teller = self._teller
        self._leaving.set()
        if teller is not None:
            teller.join(LEAVE_TIMEOUT)

    def _is_to_be_logged(self) -> bool:
        """Note that the cache failed; tell whether that is to be said, or was a moment ago."""
        with self._lock:
            self._failures += 1
            self._failed_at = time.monotonic()
            if self._failed_at - self._logged_at < LOG_INTERVAL:
                return False
            self._logged_at = self._failed_at
            self._is_announced = True
        return True

    def _answers_again(self, cache: BaseCache) -> None:
        # A cache that can be read and not written shall not cost each reader the wait.
        wait = self._told_in_vain_at + RETRY_INTERVAL - time.monotonic()
        if self._has_to_tell and wait > 0:
            return
        if not self.tell(cache):
            self._told_in_vain_at = time.monotonic()
            return
        with self._lock:
            failures, self._failures = self._failures, 0
            announced, self._is_announced = self._is_announced, False
        if announced:
            logger.warning(
                "The cache %r answers again; sessions did without it %d times.",
                self.alias,
                failures,
            )


_outages: dict[str, Outage] = {}


def of(alias: str) -> Outage:
    """Return what is known of the cache ``alias``."""
    return _outages.get(alias) or _outages.setdefault(alias, Outage(alias))


@atexit.register
def _leave() -> None:
    for outage in _outages.values():
        outage.leave()


def _begin_in_process() -> None:
    for outage in _outages.values():
        outage.begin_in_process()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_process)


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting == "CACHES":
        _outages.clear()


setting_changed.connect(_forget, dispatch_uid="dj_sessions.outage")
