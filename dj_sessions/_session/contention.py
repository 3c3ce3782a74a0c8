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

from dj_sessions._metrics.instruments import CONFLICTS
from dj_sessions._metrics.recording import record, recorders
from dj_sessions._session.counting import GIVEN_UP, count_merge
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

    async def failed(self, mode: Mode, turn: Turn | None = None) -> None:
        """Note a write conflict and pause from the second on; raises SessionConflict in the end.

        Those who wait for ``turn`` learn that whoever has it is still at it.
        """
        if turn is not None:
            turn.signs += 1
        self._made += 1
        if recorders:
            record(CONFLICTS, 1)
        if time.monotonic() - self._started >= conf.SESSION_CONFLICT_TIMEOUT:
            if recorders:
                count_merge(GIVEN_UP)
            raise SessionConflict(self._made)
        if self._made == 1:
            return
        # Jitter: savers that met once shall not meet again.
        seconds = random.uniform(0, self._pause)  # noqa: S311 # no secret
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        await outside(mode, partial(time.sleep, seconds), partial(asyncio.sleep, seconds))


class Turn:
    """The right to save a session first, until ``leave()``: it goes from one saver to the next.

    ``stored`` is the payload that was stored last, ``signs`` are the signs of life so far, and
    ``thread`` is where the saver came from whose turn it is.
    """

    key = ""
    thread = 0
    signs = 0
    stored: Any = None
    waiting: deque[Future[None]]

    def leave(self) -> None:
        """Have the next one save."""
        with _turns.lock:
            self.signs += 1
            waiting = getattr(self, "waiting", None)
            if waiting:
                self.thread = 0
                waiting.popleft().set_result(None)
            elif _turns.taken.get(self.key) is self:
                del _turns.taken[self.key]


class _Turns:
    """The turns of this process that somebody has, by session key."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.taken: dict[str, Turn] = {}


_turns = _Turns()


def first_turn(key: str) -> Turn | None:
    """Return the turn to save the session under ``key``; None if another saver has it."""
    turn = Turn()
    turn.key, turn.thread = key, threading.get_ident()
    with _turns.lock:
        return turn if _turns.taken.setdefault(key, turn) is turn else None


async def turn_after_others(mode: Mode, key: str, may_wait: Callable[[], bool]) -> Turn | None:
    """Return the turn after waiting for those before; None for whoever has to go on without.

    That is whoever must not wait, as it may hold what another one waits for, and whoever has
    waited without a sign of life.
    """
    if not may_wait():
        return None
    with _turns.lock:
        turn = _turns.taken.get(key)
        if turn is None:
            turn = _turns.taken[key] = Turn()
            turn.key, turn.thread = key, threading.get_ident()
            return turn
        if mode is in_sync and turn.thread == threading.get_ident():
            return None  # called while it saves: to wait for itself would never end
        granted: Future[None] = Future()
        vars(turn).setdefault("waiting", deque()).append(granted)
    try:
        has_turn = await outside(
            mode, partial(_wait, turn, granted), partial(_wait_in_loop, turn, granted)
        )
    except BaseException:
        if not _withdraw(turn, granted):
            turn.leave()
        raise
    if not has_turn and _withdraw(turn, granted):
        return None
    if mode is in_sync:
        turn.thread = threading.get_ident()
    return turn


def _wait(turn: Turn, granted: Future[None]) -> bool:
    seen = -1
    while seen != turn.signs:
        seen = turn.signs
        try:
            granted.result(TURN_TIMEOUT)
        except FutureTimeoutError:
            continue
        return True
    return False


async def _wait_in_loop(turn: Turn, granted: Future[None]) -> bool:
    seen, coming = -1, asyncio.wrap_future(granted)
    while seen != turn.signs and not coming.done():
        seen = turn.signs
        await asyncio.wait([coming], timeout=TURN_TIMEOUT)
    return coming.done()


def _withdraw(turn: Turn, granted: Future[None]) -> bool:
    """Leave the queue; return False if the turn has just come."""
    with _turns.lock:
        if granted in turn.waiting:
            turn.waiting.remove(granted)
            return True
    return False


def _begin_in_process() -> None:
    """Begin without the lock and the queues of the process that forked this one off."""
    global _turns
    _turns = _Turns()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_process)
