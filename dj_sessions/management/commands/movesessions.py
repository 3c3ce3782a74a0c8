"""``manage.py movesessions``: move the sessions that nobody visits from one engine to another."""

from __future__ import annotations

import time
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dj_sessions.conf import conf, store_class
from dj_sessions.management._failures import failures_in_words
from dj_sessions.management._numbers import add_batch_size, add_limit, check_batches, check_number
from dj_sessions.management._progress import progress_for, within
from dj_sessions.management._steps import going_over
from dj_sessions.management._words import left_behind, say, sessions

MOVED: Final = "moved"
#: What is said of those that were skipped, one and several: their outcome, and what it is.
SKIPPED: Final = {
    "expired": ("had expired", "had expired"),
    "gone": ("was gone already", "were gone already"),
    "busy": ("was changed all the time", "were changed all the time"),
}
#: What is said of those that cannot be moved.
STUCK: Final = {
    "unreadable": "cannot be read",
    "refused": "hold what the engine TO cannot",
}
#: Of a second, for which sessions are moved before a run with a rate looks at the time.
SLICE: Final = 0.1


class Command(BaseCommand):
    """Move the sessions of the engine FROM to the engine TO; safe beside live traffic."""

    help = (
        "Move the sessions that nobody visits to the engine TO of SESSION_MOVE. Run it while all "
        "servers have the engine dj_sessions.backends.moving. Exit codes: 0 done, also when "
        "--limit ended it; 1 an error, or sessions that cannot be moved; 2 an unknown option; "
        "130 ended by Ctrl-C; 143 ended by SIGTERM."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        add_batch_size(parser, "list")
        parser.add_argument(
            "--rate",
            type=float,
            metavar="N",
            help="look at no more than N sessions in a second (default: as many as it can)",
        )
        add_limit(parser, "move")
        parser.add_argument(
            "--after",
            default="",
            metavar="NAME",
            help="begin behind NAME, which may be the beginning of a stored name, where the engine "
            "FROM lists its sessions in an order",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="say how many would be moved, move none"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Move, and say what was done; raises CommandError for what cannot, or a failing store."""
        _check(options)
        store = store_class()
        if not hasattr(store, "_start_move"):
            raise CommandError(
                f"Session engine '{conf.SESSION_ENGINE}' moves no sessions. Set SESSION_ENGINE = "
                "'dj_sessions.backends.moving', and SESSION_MOVE to say from where and to where."
            )
        carriage = store._start_move(is_dry=options["dry_run"])
        if options["after"] and not carriage.lists_in_order:
            raise CommandError("The engine FROM lists its sessions in no order. Leave out --after.")
        try:
            with failures_in_words(store):
                self._move_or_refuse(carriage, options)
        except NotImplementedError as error:
            raise CommandError(
                f"The engine FROM cannot list its sessions ({error}). Each moves when it is next "
                "saved; leave SESSION_MOVE as it is for SESSION_COOKIE_AGE seconds, after which "
                "the others have ended."
            ) from error
        say(self.stdout, options, _told(carriage.outcome, options))
        _report(carriage)

    def _move_or_refuse(self, carriage: Any, options: dict[str, Any]) -> None:
        try:
            self._move(carriage, options)
        except ImproperlyConfigured as error:  # it says what to do, and the checks found nothing
            raise CommandError(str(error)) from error

    def _move(self, carriage: Any, options: dict[str, Any]) -> None:
        size, after, limit = options["batch_size"], options["after"], options["limit"]
        progress = progress_for(
            self.stderr, options, lambda: within(carriage.total(), limit) or limit
        )

        def told() -> str:
            return _told(carriage.outcome, options)

        with going_over(self.stderr, progress, carriage, told) as interruption:
            pace = _Pace(options["rate"])
            for done in carriage.batches(size, after, limit, pace.at_once):
                progress.update(done)
                interruption.sleep(pace.pause(done))


class _Pace:
    """How many sessions are moved at once, and the pause after them, for ``rate`` in a second."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        #: None: as many as suit.
        self.at_once = None if rate is None else max(1, int(rate * SLICE))
        #: When the batch began that ``pause()`` is asked about next.
        self._begun = time.monotonic()

    def pause(self, done: int) -> float:
        """Return for how many seconds to wait, after a batch of ``done``.

        A slow batch is not made up for by faster ones: the rate holds in every second.
        """
        if self._rate is None:
            return 0
        now = time.monotonic()
        pause = max(0, self._begun + done / self._rate - now)
        self._begun = now + pause
        return pause


def _check(options: dict[str, Any]) -> None:
    check_batches(options)
    if options["rate"] is not None:
        check_number("--rate", options["rate"], 0.01, whole=False)


def _told(outcome: Any, options: dict[str, Any]) -> str:
    said = f"{'Would move' if options['dry_run'] else 'Moved'} {sessions(outcome[MOVED])}"
    if outcome[MOVED] == options["limit"]:
        said += ", which is the limit; there may be more"
    skipped = [
        f"{outcome[name]:,} {words[outcome[name] != 1]}"
        for name, words in SKIPPED.items()
        if outcome[name]
    ]
    return "; ".join([said, *skipped]) + "."


def _report(carriage: Any) -> None:
    """Raise CommandError that says what cannot be moved, if anything."""
    lines = []
    for name, reason in STUCK.items():
        if count := carriage.outcome[name]:
            lines.append(left_behind(count, reason, carriage.named[name]))
    if lines:
        raise CommandError("\n".join(["Left where they are, as they cannot be moved:", *lines]))
