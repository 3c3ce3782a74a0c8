"""Errors of a cache as they may be logged: where they came from, and no name of an entry.

The name of an entry has the session key in it. It stands in what the frames of the traceback hold,
which reports by mail show, and in what some clients say.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from typing import Any

from dj_sessions import _keys


class CacheFailed(Exception):
    """In place of an error that said the name of an entry."""


def to_log(error: BaseException, outer: BaseException | None, arguments: Iterable[Any]) -> Any:
    """Return the ``exc_info`` of ``error``, which nobody needs any more.

    ``outer`` is what was being handled before, which is not the cache's; ``arguments`` are those of
    the call that failed, in which the names are.
    """
    links = list(_chain(error, outer))
    for link in links:
        traceback.clear_frames(link.__traceback__)
    # The first frame is ours, is not over, and so was not cleared.
    frames = error.__traceback__ and error.__traceback__.tb_next
    said = [text for text in _texts(arguments) if any(text in str(link) for link in links)]
    if said:
        words = f"{type(error).__qualname__}: {error}"
        for text in said:
            words = words.replace(text, "…")
        error = CacheFailed(words)
    return type(error), error, frames


def _chain(error: BaseException, outer: BaseException | None) -> Iterator[BaseException]:
    """Yield ``error`` and what led to it, and cut it off from ``outer``."""
    link: BaseException | None = error
    seen = set()
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        if link.__context__ is outer:
            link.__context__ = None
        link = link.__cause__ or link.__context__


def _texts(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str) and len(value) >= _keys.MIN_LENGTH:
            yield value
        elif isinstance(value, tuple):
            yield from _texts(value)
