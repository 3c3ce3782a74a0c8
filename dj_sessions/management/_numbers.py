"""The numbers that the options of commands take which work in batches."""

from __future__ import annotations

import math
from typing import Any, Final

from django.core.management.base import CommandError

#: A batch is held in memory and, in a database, by one transaction.
LARGEST_BATCH: Final = 10_000

#: A day, in seconds: then it is time for the next run.
LONGEST_SLEEP: Final = 86_400


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
