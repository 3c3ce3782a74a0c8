"""Many savers of one session: each has its turn in its process, and pauses between attempts."""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from typing import Any, Final

from dj_sessions._session.modes import Mode, in_sync, outside
from dj_sessions.conf import conf
from dj_sessions.exceptions import SessionConflict

#: Seconds: the first pause is up to so long, each further one up to twice as long as the last.
FIRST_PAUSE: Final = 0.004
LONGEST_PAUSE: Final = 0.1

#: Seconds to wait for a turn without a sign of life from whoever has it. Turns spare work and
#: decide nothing: whoever has waited goes on without one.
TURN_TIMEOUT = 1.0


class Attempts:
    """The attempts of one operation, for as long as SESSION_CONFLICT_TIMEOUT allows."""

    def __init__(self) -> None:
        self._made = 0
        self._pause = FIRST_PAUSE
        self._started = time.monotonic()

    async def failed(self, mode: Mode) -> None:
        """Note a write conflict and pause from the second on; raises SessionConflict in the end."""
        self._made += 1
        if time.monotonic() - self._started >= conf.SESSION_CONFLICT_TIMEOUT:
            raise SessionConflict(self._made)
        if self._made == 1:
            return
        # Jitter: savers that met once shall not meet again.
        seconds = random.uniform(0, self._pause)  # noqa: S311 # no secret
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        await outside(mode, partial(time.sleep, seconds), partial(asyncio.sleep, seconds))


class _Queue:
    """Who waits for a session, the signs of life so far, and the payload that was stored last.

    ``thread`` is where the first one came from.
    """

    __slots__ = ("signs", "stored", "thread", "waiting")

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.waiting: deque[Future[None]] = deque()
        self.signs = 0
        self.stored: Any = None


class Turn:
    """The right to save a session first, until ``leave()``; ``None`` as queue: no right at all."""

    __slots__ = ("_key", "_queue")

    def __init__(self, key: str, queue: _Queue | None) -> None:
        self._key = key
        self._queue = queue

    def is_behind(self, payload: Any) -> bool:
        """Return whether another saver of this process has just stored something else."""
        stored = None if self._queue is None else self._queue.stored
        return stored is not None and stored != payload

    def goes_on(self) -> None:
        """Have those who wait know that this saver is still at it."""
        if self._queue is not None:
            self._queue.signs += 1

    def stored(self, payload: Any) -> None:
        """Have those who wait know what they will find."""
        if self._queue is not None:
            self._queue.stored = payload

    def leave(self) -> None:
        """Have the next one save."""
        queue, self._queue = self._queue, None
        if queue is None:
            return
        with _turns.lock:
            queue.signs += 1
            if queue.waiting:
                queue.thread = 0
                queue.waiting.popleft().set_result(None)
            elif _turns.queues.get(self._key) is queue:
                del _turns.queues[self._key]


class _Turns:
    """The queues of this process, by session key."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.queues: dict[str, _Queue] = {}


_turns = _Turns()


async def turn(mode: Mode, key: str, may_wait: Callable[[], bool]) -> Turn:
    """Return the turn to save the session under ``key``, after waiting for those before.

    Whoever must not wait, as it may hold what another one waits for, has none.
    """
    if key in _turns.queues and not may_wait():
        return Turn(key, None)
    with _turns.lock:
        queue = _turns.queues.get(key)
        if queue is None:
            queue = _turns.queues[key] = _Queue()
            return Turn(key, queue)
        if mode is in_sync and queue.thread == threading.get_ident():
            return Turn(key, None)  # called while it saves: to wait for itself would never end
        granted: Future[None] = Future()
        queue.waiting.append(granted)
    try:
        has_turn = await outside(
            mode, partial(_wait, queue, granted), partial(_wait_in_loop, queue, granted)
        )
    except BaseException:
        if not _withdraw(queue, granted):
            Turn(key, queue).leave()
        raise
    if not has_turn and _withdraw(queue, granted):
        return Turn(key, None)
    if mode is in_sync:
        queue.thread = threading.get_ident()
    return Turn(key, queue)


def _wait(queue: _Queue, granted: Future[None]) -> bool:
    seen = -1
    while seen != queue.signs:
        seen = queue.signs
        try:
            granted.result(TURN_TIMEOUT)
        except FutureTimeoutError:
            continue
        return True
    return False


async def _wait_in_loop(queue: _Queue, granted: Future[None]) -> bool:
    seen, coming = -1, asyncio.wrap_future(granted)
    while seen != queue.signs and not coming.done():
        seen = queue.signs
        await asyncio.wait([coming], timeout=TURN_TIMEOUT)
    return coming.done()


def _withdraw(queue: _Queue, granted: Future[None]) -> bool:
    """Leave the queue; return False if the turn has just come."""
    with _turns.lock:
        if granted in queue.waiting:
            queue.waiting.remove(granted)
            return True
    return False


def _begin_in_process() -> None:
    """Begin without the lock and the queues of the process that forked this one off."""
    global _turns
    _turns = _Turns()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_process)
