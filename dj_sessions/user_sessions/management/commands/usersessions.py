"""``manage.py usersessions``: list the sessions of users, end them, export what is kept of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dj_sessions.conf import conf, store_class
from dj_sessions.management._failures import failures_in_words
from dj_sessions.management._numbers import add_batch_size, add_sleep, check_batches
from dj_sessions.management._progress import progress_for
from dj_sessions.management._steps import going_over, taking_steps
from dj_sessions.management._words import sessions
from dj_sessions.user_sessions import end_sessions, listing
from dj_sessions.user_sessions.ending import of_each
from dj_sessions.user_sessions.exporting import export_sessions, exported
from dj_sessions.user_sessions.indexing import Indexing
from dj_sessions.user_sessions.management import _selection, _words
from dj_sessions.user_sessions.models import UserSession, UserSessionQuerySet
from dj_sessions.user_sessions.owners import name_of_owner

#: Sessions that are ended without a question.
FEW: Final = 1


class Command(BaseCommand):
    """Without an option, say how many sessions there are."""

    help = (
        "List the sessions of users: how many there are or, with an option that says which, each "
        "of them. End them with --end. Exit codes: 0 done; 1 an error, or not confirmed; 2 an "
        "unknown option; 130 ended by Ctrl-C; 143 ended by SIGTERM."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        _selection.add_arguments(parser)
        deeds = parser.add_mutually_exclusive_group()
        add = deeds.add_argument
        add("--end", action="store_true", help="end these sessions")
        add("--index", action="store_true", help="list sessions from before the app was installed")
        add("--export", action="store_true", help="print what is kept of one user, as JSON")
        add = parser.add_argument
        add("--ended", action="store_true", help="show sessions that have ended, instead")
        add("--json", action="store_true", help="print JSON")
        add("--dry-run", action="store_true", help="say what would be done, do nothing")
        add("--no-input", action="store_true", help="end many without asking")
        text = "have --index begin behind NAME, which may be the beginning of a stored name"
        add("--after", default="", metavar="NAME", help=text)
        add_batch_size(parser, "take")
        add_sleep(parser, "two batches, or two ends")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what the options say; raises CommandError for what cannot be done."""
        check_batches(options)
        if options["ended"] and (options["end"] or options["index"] or options["export"]):
            raise CommandError("--ended shows what has ended: it goes with no other deed.")
        if options["index"] and _selection.is_narrowed(options):
            raise CommandError(
                "--index lists the sessions of all users: it takes no --user or the like."
            )
        if options["after"] and not options["index"]:
            raise CommandError("--after says where --index begins: add that, or leave it out.")
        with failures_in_words(store_class()):
            self._do(options)

    def _do(self, options: dict[str, Any]) -> None:
        if options["end"]:
            self._end(options)
        elif options["index"]:
            self._index(options)
        elif options["export"]:
            self._export(options)
        elif _selection.is_narrowed(options):
            self._list(options)
        else:
            found = _words.figures()
            self._print(options, found, _words.in_words(found))

    # Listing

    def _list(self, options: dict[str, Any]) -> None:
        chosen = _selection.selected(options)
        rows = list(chosen.ended()) if options["ended"] else _alive(chosen, options["batch_size"])
        if options["json"]:
            found = [{"user": name_of_owner(row), **exported(row)} for row in rows]
            self.stdout.write(json.dumps(found, indent=2))
            return
        for line in _words.lines_of(rows) or ["There are none."]:
            self.stdout.write(line)

    def _export(self, options: dict[str, Any]) -> None:
        if len(options["users"] or ()) != 1:
            raise CommandError("--export is of one user: add --user NAME.")
        found = export_sessions(_selection.user_id_of(options["users"][0]))
        self.stdout.write(json.dumps(found, indent=2))

    # Ending

    def _end(self, options: dict[str, Any]) -> None:
        if not _selection.is_given(options):
            raise CommandError("Say which sessions to end, as with --user NAME, or --all.")
        rows = _selection.selected(options).live()
        count, users = rows.count(), rows.order_by().values("user").distinct().count()
        of = f"{sessions(count)} of {users:,} user{'' if users == 1 else 's'}"
        if options["dry_run"]:
            self._print(options, {"ended": 0, "would_end": count}, [f"Would end {of}."])
            return
        if count > FEW and not options["no_input"]:
            self._ask(f"This ends {of}. Type 'yes' to go on: ")
        ended = self._end_all(rows, count, options)
        self._print(options, {"ended": ended}, [f"Ended {sessions(ended)}."])

    def _ask(self, question: str) -> None:
        self.stderr.write(question, style_func=str, ending="")  # stdout may be read by a program
        self.stderr.flush()
        try:
            answer = input()
        except EOFError as error:
            raise CommandError("Nobody is there to confirm it: add --no-input.") from error
        except KeyboardInterrupt as interruption:
            raise CommandError("Nothing was ended.", returncode=130) from interruption
        if answer.strip() != "yes":
            raise CommandError("Nothing was ended.")

    def _end_all(self, rows: UserSessionQuerySet, count: int, options: dict[str, Any]) -> int:
        ended, progress = 0, progress_for(self.stderr, options, lambda: count)
        with taking_steps(
            self.stderr,
            progress,
            ended=lambda: f". Ended {sessions(ended)}. Run the command again for the rest.",
            failed=lambda: f"Ended {sessions(ended)}. Run the command again for the others.",
        ) as interruption:

            def take(step: Callable[[], int]) -> None:
                nonlocal ended
                done = step()
                ended += done
                progress.update(done)
                interruption.sleep(options["sleep"])

            of_each(_steps(rows, options), take)
        return ended

    # Indexing

    def _index(self, options: dict[str, Any]) -> None:
        indexing = Indexing(is_dry=options["dry_run"])
        if options["after"] and not indexing.lists_in_order:
            raise CommandError(
                f"Session engine '{conf.SESSION_ENGINE}' lists its sessions in no order. Leave out "
                "--after."
            )
        try:
            self._index_all(indexing, options)
        except NotImplementedError as error:
            raise CommandError(
                f"Session engine '{conf.SESSION_ENGINE}' cannot list what it has stored. Each "
                "session is listed when it is next saved; the others end in time."
            ) from error
        self._print(options, asdict(indexing.outcome), [_told(indexing, options)])

    def _index_all(self, indexing: Indexing, options: dict[str, Any]) -> None:
        progress = progress_for(self.stderr, options, _words.number_stored)

        def told() -> str:
            return _told(indexing, options)

        with going_over(self.stderr, progress, indexing, told) as interruption:
            for done in indexing.batches(options["batch_size"], options["after"]):
                progress.update(done)
                interruption.sleep(options["sleep"])

    # What is said

    def _print(self, options: dict[str, Any], found: dict[str, Any], lines: list[str]) -> None:
        if options["json"]:
            self.stdout.write(json.dumps(found))
        elif options["verbosity"] >= 1:
            self.stdout.write("\n".join(lines))


def _alive(rows: UserSessionQuerySet, size: int) -> list[UserSession]:
    """Return the rows whose sessions are in their stores, the newest login first."""
    batches = _selection.in_batches(rows.live(), size)
    found = [row for batch in batches for row in listing.alive_among(batch)]
    return sorted(found, key=lambda row: (row.created, row.pk), reverse=True)


def _steps(rows: UserSessionQuerySet, options: dict[str, Any]) -> Iterator[Callable[[], int]]:
    """Yield what ends sessions, and returns how many: one that fails keeps no other alive."""
    if _selection.is_of_whole_users(options):
        # By user: a session whose key changes meanwhile does not slip through.
        for user in list(rows.order_by("user").values_list("user", flat=True).distinct()):
            yield partial(end_sessions, user)
        return
    for batch in _selection.in_batches(rows, options["batch_size"]):
        for row in batch:
            yield row.end


def _told(indexing: Indexing, options: dict[str, Any]) -> str:
    outcome = indexing.outcome
    said = f"{'Would list' if options['dry_run'] else 'Listed'} {sessions(outcome.added)}. "
    said += f"Listed before: {outcome.listed:,}. Nobody's: {outcome.anonymous:,}."
    return f"{said} Unreadable: {outcome.unreadable:,}." if outcome.unreadable else said
