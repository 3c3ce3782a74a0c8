"""The steps of a command: shown while they are taken, and ended between two of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from django.core.management.base import OutputWrapper

from dj_sessions.management._interruption import Interrupted, Interruption, ended_by
from dj_sessions.management._progress import Progress
from dj_sessions.management._words import Resumable, again


@contextmanager
def taking_steps(
    stderr: OutputWrapper,
    progress: Progress,
    ended: Callable[[], str],
    failed: Callable[[], str] = lambda: "",
) -> Iterator[Interruption]:
    """Yield what a command sleeps by between two steps; close ``progress`` after the last one.

    If a signal ends it, CommandError says by which, followed by ``ended()``. If a step fails,
    ``failed()`` is written to ``stderr``, unless it is empty.
    """
    try:
        try:
            with Interruption().watching() as interruption:
                yield interruption
        finally:
            progress.close()
    except Interrupted as interrupted:
        raise ended_by(interrupted, ended()) from None
    except Exception:
        if said := failed():
            stderr.write(said)
        raise


def going_over(
    stderr: OutputWrapper, progress: Progress, run: Resumable, told: Callable[[], str]
) -> AbstractContextManager[Interruption]:
    """Take the steps of ``run``: where it ends early, ``told()`` and how to go on are said."""

    def said() -> str:
        return told() + again(run)

    return taking_steps(
        stderr,
        progress,
        ended=lambda: f". {said()}",
        failed=lambda: said() if run.shown_last else "",
    )
