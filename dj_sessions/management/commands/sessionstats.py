"""``manage.py sessionstats``: what sessions there are, whose, how old and how large."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dj_sessions._statistics.plot import draw
from dj_sessions._statistics.summary import Summary, age_label, labelled, size_label
from dj_sessions._statistics.survey import Survey
from dj_sessions.conf import conf
from dj_sessions.management._failures import failures_in_words
from dj_sessions.management._numbers import LARGEST_BATCH, check_number
from dj_sessions.management._progress import progress_for
from dj_sessions.management._steps import taking_steps

#: Characters of the longest bar, and users that are named by default.
BAR: Final = 40
TOP: Final = 10


class Command(BaseCommand):
    """Count the sessions of the engine in the settings; it reads, and writes nothing."""

    help = (
        "Count live, expired and anonymous sessions, by user, by age and by size, for the engines "
        "db, cached_db, file and redis, and for cache on Redis. Exit codes: 0 done; 1 an error; 2 "
        "an unknown option; 130 ended by Ctrl-C; 143 ended by SIGTERM."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="print the figures as JSON")
        parser.add_argument("--plot", metavar="FILE", help="draw the figures into an SVG file")
        parser.add_argument(
            "--sample", type=int, metavar="N", help="read N sessions, and estimate (default: all)"
        )
        parser.add_argument(
            "--seed", type=int, metavar="N", help="choose the sample that this seed has chosen"
        )
        parser.add_argument(
            "--top", type=int, default=TOP, metavar="N", help=f"name N users (default: {TOP})"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Count, and say or draw it; raises CommandError where the store cannot be listed."""
        _check(options)
        try:
            survey = Survey(options["sample"], options["seed"])
            with failures_in_words(survey.store):
                self._read(survey, options)
                summary = survey.summary(top=options["top"])
        except NotImplementedError as error:
            raise _cannot_list(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(summary.as_data()))
        elif options["verbosity"] >= 1:
            for line in _lines(summary):
                self.stdout.write(line)
        if options["plot"]:
            _write(options["plot"], draw(summary))

    def _read(self, survey: Survey, options: dict[str, Any]) -> None:
        progress = progress_for(self.stderr, options, lambda: options["sample"])

        def ended() -> str:
            return f" when {survey.seen:,} had been read. With --sample it takes less time."

        with taking_steps(self.stderr, progress, ended) as interruption:

            def after_batch(number: int) -> None:
                progress.update(number)
                interruption.sleep(0)

            survey.read(after_batch)
            interruption.sleep(0)


def _check(options: dict[str, Any]) -> None:
    if options["sample"] is not None:
        check_number("--sample", options["sample"], 1)
    elif options["seed"] is not None:
        raise CommandError("--seed chooses a sample: give --sample N as well.")
    check_number("--top", options["top"], 0, LARGEST_BATCH)
    folder = Path(options["plot"] or ".").parent
    if not folder.is_dir():  # before all is read in vain
        raise CommandError(f"--plot: {str(folder)!r} is not a directory. Create it first.")


def _write(path: str, picture: str) -> None:
    try:
        Path(path).write_text(picture, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"--plot: {error}. Name a file that can be written.") from error


def _cannot_list(why: str) -> CommandError:
    return CommandError(
        f"The sessions of session engine '{conf.SESSION_ENGINE}' cannot be listed: "
        f"{why.rstrip('.')}."
    )


def _lines(summary: Summary) -> Iterator[str]:
    sample = summary.sample
    if sample:
        yield (
            f"ESTIMATES from {sample.size:,} of {sample.of:,} sessions, chosen with "
            f"--seed {sample.seed}"
        )
    yield _figure("live", summary.live)
    yield _figure("  of users", summary.authenticated)
    yield _figure("  anonymous", summary.anonymous)
    if summary.expired is not None:
        yield _figure("expired", summary.expired)
    if summary.unreadable:
        yield _figure("unreadable", summary.unreadable)
    yield _figure("bytes of the live ones", summary.bytes)
    yield from _bars("since the last save", labelled(summary.ages, age_label))
    if summary.without_age:
        yield _figure("  unknown", summary.without_age)
    yield from _bars("size as stored", labelled(summary.sizes, size_label))
    yield from _largest_keys(summary)
    yield from _top_users(summary)


def _figure(name: str, number: int) -> str:
    return f"{name:<24}{number:>14,}"


def _largest_keys(summary: Summary) -> Iterator[str]:
    if summary.keys:
        yield "largest keys: bytes before compression, sessions"
    for key in summary.keys:
        yield f"  {key.key[:40]:<40}{key.bytes:>14,}{key.sessions:>12,}"


def _top_users(summary: Summary) -> Iterator[str]:
    if summary.top_users:
        where = " in the sample" if summary.sample else ""
        about = "about " if summary.users_are_approximate else ""
        yield f"{about}{summary.users:,} users{where}; those with most sessions"
    for user, sessions in summary.top_users:
        yield f"  {user[:40]:<40}{sessions:>14,}"


def _bars(heading: str, bins: list[tuple[str, int]]) -> Iterator[str]:
    yield heading
    most = max(sessions for _, sessions in bins) or 1
    for label, sessions in bins:
        bar = "#" * round(BAR * sessions / most)
        yield f"{_figure(f'  {label}', sessions)}  {bar}".rstrip()
