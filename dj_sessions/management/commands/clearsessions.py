"""``manage.py clearsessions``: remove expired sessions."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from dj_sessions.conf import conf
from dj_sessions.management._interruption import Interrupted, Interruption
from dj_sessions.management._progress import NoProgress, Progress, progress_on

#: A batch is held in memory and, in a database, by one transaction.
LARGEST_BATCH: Final = 10_000

#: A day, in seconds: then it is time for the next run.
LONGEST_SLEEP: Final = 86_400

#: What shells add to the number of the signal that ended a process.
SIGNALLED: Final = 128


class Command(BaseCommand):
    """Remove the expired sessions of the engine in the settings; safe to run at any time."""

    help = (
        "Remove expired sessions from the store of SESSION_ENGINE. Run it daily where the store "
        "does not forget them itself. Exit codes: 0 done, also when --limit ended it; 1 an error; "
        "2 an option that does not exist; 130 ended by Ctrl-C; 143 ended by SIGTERM."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options; all of them are for stores that clear in batches."""
        parser.add_argument(
            "--batch-size",
            type=int,
            metavar="N",
            help=f"remove N sessions at a time, 1 to {LARGEST_BATCH} (default: 500, and of rows "
            "that nobody else sees go, as many as take a fraction of a second)",
        )
        parser.add_argument(
            "--sleep",
            type=float,
            metavar="SECONDS",
            help=f"wait between two batches, 0 to {LONGEST_SLEEP} (default: 0, and on SQLite as "
            "long as others need)",
        )
        parser.add_argument(
            "--limit", type=int, metavar="N", help="remove at most N sessions (default: all)"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="say how many would go, and remove none"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Clear, and say what was done; raises CommandError where the store cannot."""
        _check(options)
        store = import_module(conf.SESSION_ENGINE).SessionStore
        try:
            if not _clears_in_batches(store):
                self._leave_it_to(store, options)
            elif options["dry_run"]:
                self._count(store, options)
            else:
                self._clear(store, options)
        except NotImplementedError as error:
            raise CommandError(
                f"Session engine '{conf.SESSION_ENGINE}' doesn't support clearing expired sessions."
            ) from error

    def _leave_it_to(self, store: Any, options: dict[str, Any]) -> None:
        names = ("batch_size", "sleep", "limit", "dry_run")
        given = [name for name in names if options[name] is not None and options[name] is not False]
        if given:
            raise CommandError(
                f"Session engine '{conf.SESSION_ENGINE}' has a clear_expired() of its own, which "
                f"takes no options. Leave out --{given[0].replace('_', '-')}."
            )
        store.clear_expired()
        self._say(options, f"Session engine '{conf.SESSION_ENGINE}' has cleared by itself.")

    def _count(self, store: Any, options: dict[str, Any]) -> None:
        try:
            expired = store._start_purge(timezone.now()).count()
        except NotImplementedError as error:
            raise CommandError(
                f"Session engine '{conf.SESSION_ENGINE}' cannot count what has expired. "
                "Leave out --dry-run."
            ) from error
        self._say(options, f"Would remove {_sessions(min(expired, options['limit'] or expired))}.")

    def _clear(self, store: Any, options: dict[str, Any]) -> None:
        purge = store._start_purge(timezone.now())
        progress = self._progress(purge, options)
        removed = 0
        try:
            with Interruption().watching() as interruption:
                for batch in purge.batches(options["batch_size"], options["limit"]):
                    removed += batch.removed
                    progress.update(batch.removed)
                    if batch.more:
                        interruption.sleep(_first_of(options["sleep"], batch.pause))
        except Interrupted as interrupted:
            progress.close()
            raise CommandError(
                f"Ended by {interrupted.signal.name} after {_sessions(removed)} had been removed. "
                "Run the command again for the rest.",
                returncode=SIGNALLED + interrupted.signal,
            ) from None
        except Exception:
            progress.close()
            self.stderr.write(f"{_sessions(removed).capitalize()} had been removed.")
            raise
        progress.close()
        self._say(options, _outcome(removed, options["limit"]))

    def _progress(self, purge: Any, options: dict[str, Any]) -> Progress:
        if options["verbosity"] < 1 or not self.stderr.isatty():
            return NoProgress()
        total, limit = purge.total(), options["limit"]
        return progress_on(self.stderr, min(total, limit) if total and limit else total)

    def _say(self, options: dict[str, Any], text: str) -> None:
        if options["verbosity"] >= 1:
            self.stdout.write(text)


def _check(options: dict[str, Any]) -> None:
    """Raise CommandError for a number that makes no sense, from whoever it comes."""
    _check_number("--batch-size", options["batch_size"], 1, LARGEST_BATCH)
    _check_number("--sleep", options["sleep"], 0, LONGEST_SLEEP, whole=False)
    _check_number("--limit", options["limit"], 1)


def _check_number(
    option: str, value: Any, least: int, most: float = math.inf, *, whole: bool = True
) -> None:
    is_number = isinstance(value, int) or (isinstance(value, float) and not whole)
    if value is None or (is_number and least <= value <= most):
        return
    number = "a whole number" if whole else "a number"
    limits = f"{least} or more" if most == math.inf else f"from {least} to {most}"
    raise CommandError(f"{option} must be {number}, {limits}, not {value!r}.")


def _clears_in_batches(store: type) -> bool:
    """Return whether ``clear_expired()`` is as old as the batches; a newer one knows of none."""
    batches = _owner(store, "_start_purge")
    return batches is not None and issubclass(batches, _owner(store, "clear_expired") or batches)


def _owner(store: type, name: str) -> type | None:
    return next((cls for cls in store.__mro__ if name in vars(cls)), None)


def _first_of(chosen: float | None, otherwise: float) -> float:
    return otherwise if chosen is None else chosen


def _sessions(number: int) -> str:
    return f"{number:,} expired session{'' if number == 1 else 's'}"


def _outcome(removed: int, limit: int | None) -> str:
    if removed == limit:
        return f"Removed {_sessions(removed)}, which is the limit; there may be more."
    return f"Removed {_sessions(removed)}."
