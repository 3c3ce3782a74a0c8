"""The numbers that the options of commands take which work in batches."""

from __future__ import annotations

import math
from collections.abc import Container
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser

#: Sessions that a command takes at a time, unless it is told otherwise.
BATCH: Final = 500

#: A batch is held in memory and, in a database, by one transaction.
LARGEST_BATCH: Final = 10_000

#: A day, in seconds: then it is time for the next run.
LONGEST_SLEEP: Final = 86_400

#: By option: the least, the most, and whether the number is whole.
BOUNDS: Final = {
    "batch_size": (1, LARGEST_BATCH, True),
    "sleep": (0, LONGEST_SLEEP, False),
    "limit": (1, math.inf, True),
}


def add_batch_size(
    parser: CommandParser, deed: str, default: int | None = BATCH, otherwise: str = ""
) -> None:
    """Declare ``--batch-size``; ``otherwise`` says in words what is done where it is not given."""
    parser.add_argument(
        "--batch-size",
        type=int,
        default=default,
        metavar="N",
        help=f"{deed} N sessions at a time, 1 to {LARGEST_BATCH} (default: {otherwise or default})",
    )


def add_sleep(
    parser: CommandParser,
    between: str = "two batches",
    default: float | None = 0,
    otherwise: str = "",
) -> None:
    """Declare ``--sleep``, in seconds; ``otherwise`` is as in ``add_batch_size()``."""
    parser.add_argument(
        "--sleep",
        type=float,
        default=default,
        metavar="SECONDS",
        help=f"wait between {between}, 0 to {LONGEST_SLEEP} (default: {otherwise or default})",
    )


def add_limit(parser: CommandParser, deed: str) -> None:
    """Declare ``--limit``."""
    parser.add_argument(
        "--limit", type=int, metavar="N", help=f"{deed} at most N sessions (default: all)"
    )


def check_batches(options: dict[str, Any], optional: Container[str] = ("limit",)) -> None:
    """Raise CommandError for a number that makes no sense, from whoever it comes.

    None is no number, except for the ``optional`` ones.
    """
    for name, (least, most, whole) in BOUNDS.items():
        if name in options and not (options[name] is None and name in optional):
            check_number(f"--{name.replace('_', '-')}", options[name], least, most, whole=whole)


def check_number(
    option: str, value: Any, least: float, most: float = math.inf, *, whole: bool = True
) -> None:
    """Raise CommandError for a value that is no number within the limits, from whoever it comes."""
    is_number = isinstance(value, int) or (isinstance(value, float) and not whole)
    if is_number and least <= value <= most and value != math.inf:
        return
    number = "a whole number" if whole else "a number"
    limits = f"{least} or more" if most == math.inf else f"from {least} to {most}"
    raise CommandError(f"{option} must be {number}, {limits}, not {value!r}.")
