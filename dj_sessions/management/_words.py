"""What several commands say in the same words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.management.base import OutputWrapper


def say(stdout: OutputWrapper, options: dict[str, Any], text: str) -> None:
    """Write ``text``, unless ``--verbosity 0`` wants to hear of errors alone."""
    if options["verbosity"] >= 1:
        stdout.write(text)


def sessions(number: int, kind: str = "session") -> str:
    """Return a number of sessions in words."""
    return f"{number:,} {kind}{'' if number == 1 else 's'}"


def left_behind(count: int, reason: str, public_ids: Sequence[str]) -> str:
    """Return the line about sessions that a command cannot handle; the first of them are named."""
    more = ", …" if count > len(public_ids) else ""
    return f"  {sessions(count)}: {reason} (public_id: {', '.join(public_ids)}{more})"
