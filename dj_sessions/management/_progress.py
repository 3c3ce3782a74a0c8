"""How far a command has come, shown where somebody watches."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

from django.core.management.base import OutputWrapper


class Progress(Protocol):
    """What shows how much is done."""

    def update(self, done: int) -> object:
        """Add what was done since."""

    def close(self) -> object:
        """Leave the line."""


class NoProgress:
    """Shows nothing."""

    def update(self, done: int) -> None:
        """Add nothing."""

    def close(self) -> None:
        """Leave nothing."""


class CountedProgress:
    """Writes the count over the last one, in one line."""

    def __init__(self, stream: OutputWrapper, total: int | None) -> None:
        self._stream = stream
        self._of = "" if total is None else f" of {total:,}"
        self._done = 0

    def update(self, done: int) -> None:
        """Write the new count, once there is one."""
        if not done:
            return
        self._done += done
        self._stream.write(f"\r{self._done:,}{self._of}", style_func=str, ending="")
        self._stream.flush()

    def close(self) -> None:
        """End the line."""
        if self._done:
            self._stream.write("", style_func=str, ending="\n")


class _Unstyled:
    """The stream as tqdm wants it: nothing is added to what it writes."""

    def __init__(self, stream: OutputWrapper) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        self._stream.write(text, style_func=str, ending="")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def progress_for(
    stream: OutputWrapper, options: dict[str, Any], total: Callable[[], int | None] = lambda: None
) -> Progress:
    """Return what shows on ``stream`` how much is done, if somebody watches there.

    ``total()``, which may take long, is asked only then.
    """
    if options["verbosity"] < 1 or not stream.isatty():
        return NoProgress()
    return progress_on(stream, total())


def within(total: int | None, limit: int | None) -> int | None:
    """Return a total of which no more than ``limit`` is done; None and 0 limit nothing."""
    return min(total, limit) if total and limit else total


def progress_on(stream: OutputWrapper, total: int | None) -> Progress:
    """Return a progress bar if tqdm is installed, else a running count; call it for a terminal."""
    try:
        tqdm = import_module("tqdm").tqdm
    except ImportError:
        return CountedProgress(stream, total)
    bar: Progress = tqdm(total=total, unit=" sessions", unit_scale=True, file=_Unstyled(stream))
    return bar
