"""Keeping a name free of sessions, in both places: each server stores new ones in its own first."""

from __future__ import annotations

from collections.abc import Sequence

from dj_sessions.storage.base import Record
from dj_sessions.storage.moving.places import SOURCE, TARGET, Found, Movable, Place
from dj_sessions.storage.moving.search import Search
from dj_sessions.storage.steps import Steps


def keep_free(places: Sequence[Place], search: Search, name: str, record: Movable) -> Steps:
    """Have ``record``, which is no session, stand under ``name`` in both places.

    Return False, and leave it in neither, where a session stands in one of them.
    """
    ours, is_kept = {}, False
    for number in (SOURCE, TARGET):
        made = record.made_for(number, name)
        if (yield "call", places[number].storage, "insert", name, made):
            ours[number] = Record(made.payload)
    for number in {SOURCE, TARGET} - ours.keys():
        cell = yield from search.cell(number, name)
        if cell.is_session and cell.data != record.data:  # it has just been stored
            for other, mine in ours.items():
                yield "call", places[other].storage, "remove", name, mine
            return False
        is_kept |= cell.is_session  # by somebody else
    # A session that is on its way takes both places.
    return bool(ours) or is_kept or not isinstance((yield from search.look(name)), Found)
