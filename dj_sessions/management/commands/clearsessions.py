"""``manage.py clearsessions``: remove expired sessions."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from dj_sessions.conf import conf
from dj_sessions.management._failures import failures_in_words
from dj_sessions.management._numbers import (
    BATCH,
    BOUNDS,
    add_batch_size,
    add_limit,
    add_sleep,
    check_batches,
)
from dj_sessions.management._progress import progress_for, within
from dj_sessions.management._steps import taking_steps
from dj_sessions.management._words import say, sessions
from dj_sessions.registry import registries


class Command(BaseCommand):
    """Remove the expired sessions of the engine in the settings; safe to run at any time."""

    help = (
        "Remove expired sessions. Run it daily with the engines db, cached_db and file. "
        "Exit codes: 0 done, also when --limit ended it; 1 an error; "
        "2 an unknown option; 130 ended by Ctrl-C; 143 ended by SIGTERM."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options; all of them are for stores that clear in batches."""
        adapts = f"begin with {BATCH}; on a database, then adapt to its speed"
        add_batch_size(parser, "remove", None, adapts)
        waits = "0; on SQLite, long enough for waiting saves"
        add_sleep(parser, default=None, otherwise=waits)
        add_limit(parser, "remove")
        parser.add_argument(
            "--dry-run", action="store_true", help="say how many would be removed, remove none"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Clear, and say what was done; raises CommandError where the store cannot."""
        check_batches(options, optional=BOUNDS)
        store = import_module(conf.SESSION_ENGINE).SessionStore
        try:
            if _clears_in_batches(store):
                with failures_in_words(store):
                    (self._count if options["dry_run"] else self._clear)(store, options)
            else:
                self._leave_it_to(store, options)
            if not options["dry_run"]:
                self._purge_lists(store, options)
        except NotImplementedError as error:
            raise CommandError(
                f"Session engine '{conf.SESSION_ENGINE}' doesn't support clearing expired sessions."
            ) from error

    def _purge_lists(self, store: Any, options: dict[str, Any]) -> None:
        with failures_in_words(store):
            for registry in registries:
                if told := registry.purge():
                    say(self.stdout, options, told)

    def _leave_it_to(self, store: Any, options: dict[str, Any]) -> None:
        names = ("batch_size", "sleep", "limit", "dry_run")
        given = [name for name in names if options[name] is not None and options[name] is not False]
        if given:
            raise CommandError(
                f"Session engine '{conf.SESSION_ENGINE}' has a clear_expired() of its own, which "
                f"takes no options. Leave out --{given[0].replace('_', '-')}."
            )
        store.clear_expired()
        say(
            self.stdout,
            options,
            f"Called clear_expired() of session engine '{conf.SESSION_ENGINE}'.",
        )

    def _count(self, store: Any, options: dict[str, Any]) -> None:
        try:
            expired = store._start_purge(timezone.now()).count()
        except NotImplementedError as error:
            raise CommandError(
                f"Session engine '{conf.SESSION_ENGINE}' cannot count expired sessions. "
                "Leave out --dry-run."
            ) from error
        say(
            self.stdout,
            options,
            f"Would remove {_sessions(min(expired, options['limit'] or expired))}.",
        )

    def _clear(self, store: Any, options: dict[str, Any]) -> None:
        purge = store._start_purge(timezone.now())
        progress = progress_for(
            self.stderr, options, lambda: within(purge.total(), options["limit"])
        )
        removed = 0

        def told() -> str:
            return f"{_sessions(removed)} had been removed."

        with taking_steps(
            self.stderr,
            progress,
            ended=lambda: f" after {told()} Run the command again for the rest.",
            failed=told,
        ) as interruption:
            for batch in purge.batches(options["batch_size"], options["limit"]):
                removed += batch.removed
                progress.update(batch.removed)
                if batch.more:
                    interruption.sleep(_first_of(options["sleep"], batch.pause))
        say(self.stdout, options, _outcome(removed, options["limit"]))


def _clears_in_batches(store: type) -> bool:
    """Return whether ``clear_expired()`` is as old as the batches; a newer one knows of none."""
    batches = _owner(store, "_start_purge")
    return batches is not None and issubclass(batches, _owner(store, "clear_expired") or batches)


def _owner(store: type, name: str) -> type | None:
    return next((cls for cls in store.__mro__ if name in vars(cls)), None)


def _first_of(chosen: float | None, otherwise: float) -> float:
    return otherwise if chosen is None else chosen


def _sessions(number: int) -> str:
    return sessions(number, "expired session")


def _outcome(removed: int, limit: int | None) -> str:
    if removed == limit:
        return f"Removed {_sessions(removed)}, which is the limit; there may be more."
    return f"Removed {_sessions(removed)}."
