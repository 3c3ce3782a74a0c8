"""What the sides do while expired sessions are cleared: fill, save without end, clear."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import cycle, islice
from random import Random
from statistics import quantiles
from threading import Event, Thread
from time import perf_counter
from typing import Any

from django.core.management import call_command
from django.db import connection, transaction

CHUNK = 5_000
LIVE = 50
#: Seconds between two saves: traffic, not a second load test.
PAUSE = 0.002

INSERT = "INSERT INTO django_session (session_key, session_data, expire_date) VALUES (%s, %s, %s)"


def do_fill(rows: int) -> None:
    """Empty the table and add so many expired sessions, in no order, of the last 30 days."""
    from tests.benchmarks.subjects.stores import new_session

    session = new_session()
    records = islice(_expired(session.encode(dict(session.items()))), rows)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_session")
        while chunk := list(islice(records, CHUNK)):
            with transaction.atomic():
                cursor.executemany(INSERT, chunk)


def _expired(payload: str) -> Iterator[tuple[str, str, Any]]:
    random, now = Random(4), datetime.now(UTC)
    while True:
        end = now - timedelta(seconds=random.uniform(1, 30 * 86_400))
        yield (
            f"{random.getrandbits(128):032x}",
            payload,
            connection.ops.adapt_datetimefield_value(end),
        )


class Saver:
    """Saves live sessions in turn, in a thread, until it is stopped."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.errors: Counter[str] = Counter()
        self.stopped, self.warm = Event(), Event()
        self.thread = Thread(target=self._run)
        self.thread.start()
        self.warm.wait()

    def _run(self) -> None:
        from tests.benchmarks.subjects.stores import store_class, stored_session

        keys = [stored_session().session_key for _ in range(LIVE)]
        self.warm.set()
        for number, key in enumerate(cycle(keys)):
            if self.stopped.wait(PAUSE):
                break
            start = perf_counter()
            try:
                session = store_class()(key)
                session["number"] = number
                session.save()
            except Exception as error:  # noqa: BLE001 - whatever a visitor would have met
                self.errors[type(error).__name__] += 1
            self.seconds.append(perf_counter() - start)
        connection.close()

    def stop(self) -> dict[str, Any]:
        self.stopped.set()
        self.thread.join()
        percentiles = (
            quantiles(self.seconds, n=100, method="inclusive")
            if len(self.seconds) > 1
            else [0.0] * 99
        )
        return {
            "saves": len(self.seconds),
            "worst": max(self.seconds, default=0.0),
            "p99": percentiles[98],
            "errors": dict(self.errors),
        }


_savers: list[Saver] = []


def do_start_saving() -> None:
    _savers.append(Saver())


def do_stop_saving() -> dict[str, Any]:
    """Stop; tell how many saves there were, and of how many seconds, and which errors."""
    return _savers.pop().stop()


def do_clear() -> dict[str, float]:
    """Run the command; tell its seconds, and the bytes by which the process's memory grew."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = perf_counter()
    call_command("clearsessions", stdout=StringIO(), stderr=StringIO())
    seconds = perf_counter() - start
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM django_session")
        (left,) = cursor.fetchone()
    if left != LIVE:
        raise AssertionError(f"{left} sessions are left, {LIVE} of them live")
    return {"seconds": seconds, "grown": grown * 1024}
