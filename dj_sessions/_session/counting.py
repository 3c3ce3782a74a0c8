"""What sessions tell of their saves, where somebody counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from dj_sessions._metrics.instruments import MERGES, SAVE_SIZE, SAVES
from dj_sessions._metrics.recording import engine_of, record, recorders

#: Of saves: of a new session or an old one under a new key, of what has changed, and to live on.
KINDS: Final = ("new", "changed", "unchanged")

#: Both requests count: they changed different keys.
MERGED: Final = "merged"
#: They changed the same key: ``resolve_conflict()`` has chosen.
SAME_KEY: Final = "same-key"
#: The session was ended by one of them, and is not brought back by the other.
ENDED_MEANWHILE: Final = "ended"
#: The save was given up after ``SESSION_CONFLICT_TIMEOUT``.
GIVEN_UP: Final = "given-up"

OUTCOMES: Final = (MERGED, SAME_KEY, ENDED_MEANWHILE, GIVEN_UP)


def count_save(session: Any, kind: str, payload: Any) -> None:
    """Count a save of ``kind``, one of ``KINDS``, and the bytes of its payload."""
    engine = engine_of(session)
    record(SAVES, 1, engine, kind)
    for around in ("payload", "pickled"):  # of a session that moves, and of Memcached
        payload = getattr(payload, around, payload)
    if isinstance(payload, str) and not payload.isascii():  # of an encode() of the site's
        payload = payload.encode(errors="replace")
    if isinstance(payload, str | bytes):
        record(SAVE_SIZE, len(payload), engine)


def count_merge(outcome: str) -> None:
    """Count what became of the changes of two requests."""
    record(MERGES, 1, outcome)


@contextmanager
def counted_merge(resolve: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Count a merge, by whether what is given for ``resolve`` was called: both changed one key."""
    was_called = False

    def noted(*values: Any) -> Any:
        nonlocal was_called
        was_called = True
        return resolve(*values)

    yield noted
    if recorders:
        count_merge(SAME_KEY if was_called else MERGED)
