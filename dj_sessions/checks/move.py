"""SESSION_MOVE, and the engines that it names."""

from __future__ import annotations

from typing import Any

from django.core.checks import Error, Warning  # noqa: A004

from dj_sessions.backends.moving import MoveProblem, find_move
from dj_sessions.checks import _shared
from dj_sessions.checks._shared import AppConfigs, Messages, Unusable


def check_move(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report a SESSION_MOVE with which no session can move, or not without losing changes."""
    if not _shared.is_moving(_shared.store_or_none()):
        return
    try:
        move = find_move()
    except MoveProblem as problem:
        yield Error(f"{problem.what}.", hint=problem.hint, id=problem.id)
        return
    storages = {}
    for name, engine in (("FROM", move.source), ("TO", move.target)):
        try:
            storages[name] = _shared.storage_of(engine)
        except Unusable as error:
            yield Error(
                f"The engine that SESSION_MOVE has as {name!r} cannot keep sessions: {error}.",
                hint="Set what that engine needs, as if it were the SESSION_ENGINE.",
                id="dj_sessions.E082",
            )
    if len(storages) == 2:
        yield from _check_both(**storages)


def _check_both(**storages: Any) -> Messages:
    source, target = storages.values()
    if source.place is not None and source.place == target.place:
        yield Error(
            "Both engines of SESSION_MOVE keep sessions in the same place, so none can move.",
            hint="Name an engine that keeps them elsewhere. 'db' and 'cached_db' have the same "
            "rows: to change from one to the other, change SESSION_ENGINE alone.",
            id="dj_sessions.E083",
        )
    for name, storage in storages.items():
        if not storage.atomic_replace:
            yield Warning(
                f"The engine that SESSION_MOVE has as {name!r} does not compare and write in one "
                "step: a change that is saved while its session moves may be lost, and a session "
                "that is ended meanwhile may come back.",
                hint="Move sessions to, or from, a database, Redis, Memcached or files.",
                id="dj_sessions.W084",
            )
