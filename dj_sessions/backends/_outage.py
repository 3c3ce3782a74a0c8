"""A cache that is not there for a while: said once, and told later what it missed."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from django.core.cache import BaseCache, caches
from django.core.cache.backends.base import InvalidCacheKey
from django.core.signals import setting_changed

P = ParamSpec("P")
R = TypeVar("R")

#: Seconds in which one line is logged for a cache that fails.
LOG_INTERVAL: Final = 60
#: Seconds between attempts to tell a cache what it missed.
RETRY_INTERVAL: Final = 1
#: More than so many messages are not kept one by one.
MOST_PENDING: Final = 256

logger = logging.getLogger("django.contrib.sessions")

Message = Callable[[BaseCache], object]


class Outage:
    """What is known of the failures of one cache, by all threads of this process."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self._lock = threading.Lock()
        #: Held while the cache is told something, which may take as long as its client waits.
        self._telling = threading.Lock()
        self._pending: dict[str, Message] = {}
        self._teller: threading.Thread | None = None
        self._logged_at = float("-inf")
        self._failures = 0
        self._is_announced = False

    def guard(
        self, action: str, cache: BaseCache, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R | None:
        """Return what ``call`` returns, or None if it raised, which is logged."""
        try:
            result = call(*args, **kwargs)
        except InvalidCacheKey:  # no outage ends that
            raise
        except Exception:  # noqa: BLE001 # caches share no class of errors; it is logged
            self._failed(action, cache)
            return None
        if self._failures or self._pending:
            self._answers_again(cache)
        return result

    def is_behind(self, name: str) -> bool:
        """Tell whether the cache has not been told yet what happened to ``name``."""
        return name in self._pending

    def tell_later(self, name: str, message: Message, instead: Message) -> None:
        """Call ``message`` with the cache once it answers; if there are many, only ``instead``."""
        with self._lock:
            self._pending[name] = message
            if len(self._pending) > MOST_PENDING:
                self._pending = dict.fromkeys(self._pending, instead)
            # In a process that was forked off, the thread of its parent is not alive.
            if self._teller is None or not self._teller.is_alive():
                self._teller = threading.Thread(
                    target=self._keep_telling, name=f"sessions-{self.alias}", daemon=True
                )
                self._teller.start()

    def tell(self, cache: BaseCache | None = None) -> bool:
        """Tell the cache what it missed; tell whether it knows everything now."""
        with self._telling:
            for name, message in list(self._pending.items()):
                if self._pending.get(name) is not message:
                    continue
                try:
                    message(caches[self.alias] if cache is None else cache)
                except Exception:  # noqa: BLE001 # the outage goes on
                    return False
                self._was_told(message)
        return True

    def _was_told(self, message: Message) -> None:
        with self._lock:
            left = {n: other for n, other in self._pending.items() if other is not message}
            self._pending = left

    def _keep_telling(self) -> None:
        while True:
            time.sleep(RETRY_INTERVAL)
            if not self.tell():
                continue
            with self._lock:
                if not self._pending:
                    self._teller = None
                    break
        caches[self.alias].close()  # this thread's own connection

    def _failed(self, action: str, cache: BaseCache) -> None:
        with self._lock:
            self._failures += 1
            if time.monotonic() - self._logged_at < LOG_INTERVAL:
                return
            self._logged_at = time.monotonic()
            self._is_announced = True
        logger.exception(f"Error {action} cache (%s)", cache)  # Django's message

    def _answers_again(self, cache: BaseCache) -> None:
        if not self.tell(cache):
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
def _tell_before_leaving() -> None:
    for outage in _outages.values():
        outage.tell()


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting == "CACHES":
        _outages.clear()


setting_changed.connect(_forget, dispatch_uid="dj_sessions.outage")
