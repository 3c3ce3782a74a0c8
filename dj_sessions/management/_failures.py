"""What a command says of a store that fails in the middle of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandError

from dj_sessions._health.remedies import problem_of


@contextmanager
def failures_in_words(store: Any) -> Iterator[None]:
    """Raise CommandError with the remedy where ``store`` fails; ``--traceback`` shows the rest.

    What is no failure of a store is raised as it is.
    """
    try:
        yield
    except (CommandError, NotImplementedError):
        raise
    except Exception as error:
        problem = problem_of(error, store)
        if problem.code == "broken":
            raise
        raise CommandError(f"{problem.what} {problem.remedy}") from error
