"""``manage.py sessioncheck``: try out whether the configured store keeps sessions."""

from __future__ import annotations

import json
from time import monotonic
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dj_sessions._health.examination import Examination
from dj_sessions._health.report import Problem, Report
from dj_sessions._health.trial import LEFT
from dj_sessions.management._interruption import Interrupted, Interruption, ended_by
from dj_sessions.management._numbers import check_number

#: Seconds for which the store may take by default, and at most.
TIMEOUT: Final = 30
LONGEST: Final = 3600

#: Seconds between two looks at whether a signal came.
LOOK: Final = 0.05

FACTS: Final = {
    "atomic_replace": "compares in one step",
    "atomic_rename": "renames in one step",
    "async_native": "async without a thread",
    "forgets_expired": "forgets what has expired",
}


class Command(BaseCommand):
    """Have a session live and end in the store that the settings name; nothing is left of it."""

    help = (
        "Try the store of sessions in both modes: create, read, save, compare and lose, merge, "
        "change the key and end a session of nobody. Exit codes: 0 the store works; 1 it does "
        "not, or, with --strict, there is a warning; 2 an unknown option; 130 ended by Ctrl-C; "
        "143 ended by SIGTERM."
    )
    #: What is wrong is to be said in the words of this command.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
        parser.add_argument(
            "--timeout",
            type=float,
            default=TIMEOUT,
            metavar="SECONDS",
            help=f"give up after so many seconds, 0 to {LONGEST} (default: {TIMEOUT})",
        )
        parser.add_argument(
            "--strict", action="store_true", help="have a warning count as an error"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Try it; raises CommandError where the store does not work."""
        check_number("--timeout", options["timeout"], 0, LONGEST, whole=False)
        report = _examined(options["timeout"])
        if options["json"]:
            self.stdout.write(json.dumps(report.as_data()))
        elif options["verbosity"] >= 1:
            self._show(report)
        if not report.works:
            raise CommandError(f"The store of SESSION_ENGINE = {report.engine!r} does not work.")
        if options["strict"] and report.problems:
            raise CommandError("The store works, and there is a warning, which --strict counts.")

    def _show(self, report: Report) -> None:
        self.stdout.write(f"{report.engine} {report.storage and f'({report.storage})'}".rstrip())
        for line in _facts(report):
            self.stdout.write(f"  {line}")
        for line in _times(report):
            self.stdout.write(f"  {line}")
        for problem in report.problems:
            self.stdout.write(self._said(problem))
        if report.works:
            self.stdout.write(self.style.SUCCESS("The store works."))

    def _said(self, problem: Problem) -> str:
        style, word = (
            (self.style.ERROR, "ERROR") if problem.is_fatal else (self.style.WARNING, "WARNING")
        )
        return style(f"{word} {problem.code}: {problem.what}\n\tREMEDY: {problem.remedy}")


def _examined(seconds: float) -> Report:
    """Return the report of an examination, which may take so long; raises CommandError."""
    with Interruption().watching() as interruption:
        examination, end = Examination(), monotonic() + seconds
        try:
            while not (is_over := examination.wait(LOOK)) and monotonic() < end:
                interruption.sleep(0)
            if not is_over:
                examination.give_up()
            interruption.sleep(0)
        except Interrupted as interrupted:
            left = "Nothing is left in the store." if examination.stop() else LEFT.what
            raise ended_by(interrupted, f". {left}") from None
    return examination.report


def _facts(report: Report) -> list[str]:
    facts = [f"{FACTS[name]:<28}{_yes(able)}" for name, able in report.abilities.items()]
    if report.storage:
        facts.append(f"{'forgets sessions too early':<28}{report.evicts}")
    if report.skew is not None:
        facts.append(f"{'clock of the store':<28}{report.skew:+.3f} s")
    if report.lag is not None:
        facts.append(f"{'lag of the replica':<28}{report.lag:.3f} s")
    return facts


def _yes(able: bool) -> str:
    return "yes" if able else "no"


def _times(report: Report) -> list[str]:
    """Return the table of the times in milliseconds, and what does not apply."""
    modes = report.milliseconds
    steps = {step: None for times in modes.values() for step in times}
    lines = []
    if steps:
        lines.append(" " * 28 + "".join(f"{mode:>12}" for mode in modes))
    for step in steps:
        times = (f"{times[step]:.2f} ms" if step in times else "-" for times in modes.values())
        lines.append(f"{step:<28}" + "".join(f"{time:>12}" for time in times))
    lines += [f"{step:<28}does not apply: {why}" for step, why in report.skipped.items()]
    return lines
