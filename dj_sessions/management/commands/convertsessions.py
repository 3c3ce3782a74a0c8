"""``manage.py convertsessions``: write stored sessions in the form that the settings ask for."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dj_sessions.conf import conf, store_class
from dj_sessions.management._failures import failures_in_words
from dj_sessions.management._numbers import add_batch_size, add_sleep, check_batches
from dj_sessions.management._progress import progress_for
from dj_sessions.management._steps import taking_steps
from dj_sessions.management._words import left_behind, say, sessions


class Command(BaseCommand):
    """Convert the sessions of the engine in the settings; safe beside live traffic."""

    help = (
        "Write all stored sessions as SESSION_SERIALIZER and the keys in the settings write them "
        "now, for the engines db, cached_db, file and redis. Exit codes: 0 done; 1 an error, or "
        "sessions that cannot be converted; 2 an unknown option; 130 ended by Ctrl-C; 143 ended by "
        "SIGTERM."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        add_batch_size(parser, "read")
        add_sleep(parser)
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be converted, convert nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Convert, and say what was done; raises CommandError for what cannot be converted."""
        check_batches(options)
        store = store_class()
        if not hasattr(store, "_start_conversion"):
            raise _cannot_convert()
        conversion = store._start_conversion(is_dry=options["dry_run"])
        try:
            with failures_in_words(store):
                self._convert(conversion, options)
        except NotImplementedError as error:
            raise _cannot_convert() from error
        say(self.stdout, options, _told(conversion.outcome, dry=options["dry_run"]))
        self._report(conversion.outcome)

    def _convert(self, conversion: Any, options: dict[str, Any]) -> None:
        progress, outcome = progress_for(self.stderr, options), conversion.outcome
        with taking_steps(
            self.stderr,
            progress,
            ended=lambda: f". {_told(outcome)} Run the command again for the rest.",
            failed=lambda: _told(outcome) if outcome.seen else "",
        ) as interruption:
            for done in conversion.batches(options["batch_size"]):
                progress.update(done)
                interruption.sleep(options["sleep"])

    def _report(self, outcome: Any) -> None:
        """Raise CommandError that says what could not be converted, if anything."""
        if not outcome.failures:
            return
        lines = ["Left as they are, as they cannot be converted:"]
        for reason, count in outcome.failures.most_common():
            lines.append(left_behind(count, reason, outcome.named[reason]))
        raise CommandError("\n".join(lines))


def _cannot_convert() -> CommandError:
    return CommandError(
        f"The sessions of '{conf.SESSION_ENGINE}' cannot be converted in one run. Each is "
        "converted when it is next saved; the others end in time."
    )


def _told(outcome: Any, *, dry: bool = False) -> str:
    said = f"{'Would convert' if dry else 'Converted'} {sessions(outcome.converted)}"
    said += f"; {outcome.current:,} had the right form already"
    if outcome.changed:
        said += f"; {outcome.changed:,} changed meanwhile: run the command again"
    return f"{said}."
