"""Ending a command between two steps when a signal asks for it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from django.core.management.base import CommandError

#: Ctrl-C, and what ends a service.
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
#: What shells add to the number of the signal that ended a process.
SIGNALLED: Final = 128


class Interrupted(BaseException):
    """A signal asked to end; ``signal`` tells which.

    It may come anywhere, and is no error that somebody on the way survives.
    """

    def __init__(self, signum: signal.Signals) -> None:
        self.signal = signum
        super().__init__(signum.name)


def ended_by(interrupted: Interrupted, said: str) -> CommandError:
    """Return the error of a command that a signal has ended; ``said`` follows the signal's name."""
    signum = interrupted.signal
    return CommandError(f"Ended by {signum.name}{said}", returncode=SIGNALLED + signum)


class Interruption:
    """Lets a step finish after a signal, and wakes who sleeps; a second signal does not wait."""

    def __init__(self) -> None:
        self._received: signal.Signals | None = None
        self._asleep = False

    @contextmanager
    def watching(self) -> Iterator[Interruption]:
        """Receive the signals inside the block; only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        # A handler that is not Python's shows as None: it could not be put back.
        ours = [number for number in SIGNALS if signal.getsignal(number) is not None]
        before = {number: signal.signal(number, self._receive) for number in ours}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        again = self._received is not None
        self._received = signal.Signals(number)
        if again or self._asleep:
            raise Interrupted(self._received)

    def sleep(self, seconds: float) -> None:
        """Wait; raises Interrupted when a signal came, or comes."""
        self._asleep = True
        try:
            if self._received is not None:
                raise Interrupted(self._received)
            time.sleep(seconds)
        finally:
            self._asleep = False
