"""What the command says: numbers and rows, as text or as JSON."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from django.utils import timezone

from dj_sessions.conf import conf, store_class
from dj_sessions.management._words import sessions
from dj_sessions.user_sessions import user_agents
from dj_sessions.user_sessions.models import UserSession
from dj_sessions.user_sessions.owners import name_of_owner

#: What stands above the columns of ``lines_of()``.
HEADINGS: Final = ["PUBLIC ID", "USER", "LOGGED IN", "LAST SEEN", "ADDRESS", "STATE", "USER AGENT"]


def figures() -> dict[str, Any]:
    """Return how many sessions are listed, and how many more the store of SESSION_ENGINE has.

    Of what is listed under another engine nobody knows whether it has moved to this one: it counts
    as unlisted here until --index says so. ``stored`` and ``not_listed`` are None where the store
    cannot count its sessions.
    """
    live = UserSession.objects.live().filter(expires__gt=timezone.now()).order_by()
    by_engine = Counter(live.values_list("engine", flat=True))
    here = sum(by_engine[engine] for engine in _present_engines())
    stored = number_stored()
    return {
        "users": live.values("user").distinct().count(),
        "sessions": dict(by_engine),
        "ended": UserSession.objects.ended().count(),
        "engine": conf.SESSION_ENGINE,
        "stored": stored,
        "not_listed": None if stored is None else max(0, stored - here),
    }


def _present_engines() -> set[str]:
    """Return what the rows call SESSION_ENGINE, and the engines between which that moves sessions.

    One that takes the class of another module is called by that.
    """
    store = store_class()
    move = getattr(store(), "_move", None)
    stores = [store] if move is None else [store, move.source, move.target]
    return {conf.SESSION_ENGINE, *(each.__module__ for each in stores)}


def number_stored() -> int | None:
    """Return how many sessions SESSION_ENGINE has stored; None where it cannot count them."""
    store = store_class()()
    try:
        counts: dict[str, int] = store.get_storage().count_forms(timezone.now())
    except (AttributeError, NotImplementedError):  # it keeps no records, or cannot list them
        return None
    return sum(counts.values())


def in_words(found: dict[str, Any]) -> list[str]:
    """Return the figures as sentences."""
    total = sum(found["sessions"].values())
    users = "1 user" if found["users"] == 1 else f"{found['users']:,} users"
    lines = [f"{sessions(total)} of {users}" + (":" if total else ".")]
    lines += [f"{count:>12,}  {engine}" for engine, count in sorted(found["sessions"].items())]
    if found["stored"] is None:
        lines.append(f"{found['engine']} cannot count what it has stored.")
    else:
        lines.append(
            f"{found['engine']} has stored {sessions(found['stored'])}, {found['not_listed']:,} "
            "of them unlisted: anonymous, from before, or moved (see --index)."
        )
    if found["ended"]:
        lines.append(f"Kept as history: {sessions(found['ended'])}.")
    return lines


def lines_of(rows: list[UserSession]) -> list[str]:
    """Return a line for each row, in columns with headings; none where there are no rows."""
    if not rows:
        return []
    table = [HEADINGS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(map(str.ljust, cells, widths)).rstrip() for cells in table]


def _cells(row: UserSession) -> list[str]:
    return [
        row.public_id,
        name_of_owner(row),
        _minute(row.created),
        _minute(row.last_seen),
        row.ip_address or "-",
        row.why or "live",
        user_agents.shorten(row.user_agent),
    ]


def _minute(moment: Any) -> str:
    local = timezone.localtime(moment) if timezone.is_aware(moment) else moment
    return f"{local:%Y-%m-%d %H:%M}"
