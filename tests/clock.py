"""A clock that a test moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock


class Clock:
    """Django's clock, standing still at the time of the machine, until it is moved."""

    def __init__(self) -> None:
        # A file's time of modification is the machine's whatever Django believes.
        self.start = datetime.now(UTC).replace(microsecond=0)
        self._now, self._time = mock.Mock(), mock.Mock()
        self.move(0)

    def move(self, seconds: float) -> None:
        """Make it `seconds` after the start."""
        self._now.return_value = self.after(seconds=seconds)
        self._time.return_value = self.after(seconds=seconds).timestamp()

    def after(self, **duration: Any) -> datetime:
        return self.start + timedelta(**duration)

    @contextmanager
    def running(self) -> Iterator[None]:
        with (
            mock.patch("django.utils.timezone.now", self._now),
            mock.patch("time.time", self._time),
        ):
            yield
