"""What several commands say in the same words."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import Any, Protocol

from django.core.management.base import OutputWrapper


class Resumable(Protocol):
    """A run over what is stored."""

    @property
    def lists_in_order(self) -> bool:
        """Whether another run can go on behind the name where this one ended."""

    @property
    def shown_last(self) -> str:
        """As much of that name as people may see: it may be a session key that still counts."""


def say(stdout: OutputWrapper, options: dict[str, Any], text: str) -> None:
    """Write ``text``, unless ``--verbosity 0`` wants to hear of errors alone."""
    if options["verbosity"] >= 1:
        stdout.write(text)


def sessions(number: int, kind: str = "session") -> str:
    """Return a number of sessions in words."""
    return f"{number:,} {kind}{'' if number == 1 else 's'}"


def again(run: Resumable) -> str:
    """Return how to go on, where possible without looking again at what was done."""
    said = " Run the command again for the rest"
    if not (run.shown_last and run.lists_in_order):
        return f"{said}."
    return f"{said}, or begin where it ended: --after {quote(run.shown_last)}."


def left_behind(count: int, reason: str, public_ids: Sequence[str]) -> str:
    """Return the line about sessions that a command cannot handle; the first of them are named."""
    more = ", …" if count > len(public_ids) else ""
    return f"  {sessions(count)}: {reason} (public_id: {', '.join(public_ids)}{more})"
