"""The worker's clock: it stands still until a program moves it.

Everything here that stamps, signs or expires something asks `time.time` or Django's
`timezone.now`. Both are replaced before a session package is imported and could bind them.
File systems do not ask: `Records.stamp` sets the times of the files that a step wrote.
"""

import time
from datetime import UTC, datetime

from django.conf import settings
from django.utils import timezone

START = datetime(2031, 5, 17, 10, 20, 30, 123456, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.timestamp = START.timestamp()

    def advance(self, seconds: float) -> None:
        self.timestamp += seconds

    def time(self) -> float:
        return self.timestamp

    def now(self) -> datetime:
        if settings.USE_TZ:
            return datetime.fromtimestamp(self.timestamp, UTC)
        return datetime.fromtimestamp(self.timestamp)

    def install(self) -> None:
        time.time = self.time
        timezone.now = self.now


clock = Clock()
