"""What the inspector page says about this browser's session."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.db import connections, router
from django.utils import timezone

from dj_sessions.models import Session
from testproject.forms import EXPIRIES, LIMITS
from testproject.middleware import LAST_WRITTEN

SHOWN_CHARACTERS = 6
UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True)
class Report:
    key: str
    data: list[tuple[str, str]]
    last_written: datetime | None
    expires: datetime
    ends_with_browser: bool
    expiry: str
    ends: dict[str, str]


def report(session: SessionBase) -> Report | None:
    """The session as it may be shown, or None where this browser has none."""
    items = sorted(session.items())
    if not items or not session.session_key:
        return None
    remaining = session.get_remaining()
    return Report(
        key=_shown_key(session.session_key),
        data=[(name, _shown_value(name, value)) for name, value in items],
        last_written=_last_written(session),
        expires=timezone.now() + timedelta(seconds=remaining.idle),
        ends_with_browser=session.get_expire_at_browser_close(),
        expiry=_chosen_expiry(session),
        ends=ends(session),
    )


def _chosen_expiry(session: SessionBase) -> str:
    """Which of EXPIRIES the session has, if it has one of them."""
    own = session.get("_session_expiry")
    return next((name for name, (expiry, _) in EXPIRIES.items() if expiry == own), "")


def ends(session: SessionBase) -> dict[str, str]:
    """How long the session lasts from now on: if nobody uses it, and however busy it is."""
    return {name: duration(seconds) for name, seconds in session.get_remaining()._asdict().items()}


def duration(seconds: int | None) -> str:
    """The seconds in words, the two largest units of them."""
    if seconds is None:
        return "no limit"
    words = []
    for size, unit in UNITS:
        number, seconds = divmod(seconds, size)
        if number:
            words.append(f"{number} {unit}{'' if number == 1 else 's'}")
    return " ".join(words[:2]) or "0 seconds"


def chosen_limit(session: SessionBase) -> str:
    """Which of LIMITS the session has."""
    expiry = session.get("_session_expiry")
    if isinstance(expiry, str):
        return "fixed"
    return "unused" if expiry == LIMITS["unused"][0] else "site"


def site_limits() -> list[tuple[str, str]]:
    """The limits that the settings set to every session."""
    limits = ("SESSION_IDLE_AGE", "SESSION_ABSOLUTE_AGE", "SESSION_ANONYMOUS_AGE")
    return [(name, duration(getattr(settings, name))) for name in (*limits, "SESSION_COOKIE_AGE")]


def stores() -> list[tuple[str, str]]:
    """Which engine serves the sessions of this site, and where it keeps them."""
    engine = settings.SESSION_ENGINE.rpartition(".")[2]
    rows = [("Engine", settings.SESSION_ENGINE)]
    if engine in {"db", "cached_db"}:
        rows.append(("Database", _database()))
    if engine in {"cache", "cached_db"}:
        rows.append(("Cache", _cache()))
    if engine == "file":
        rows.append(("Folder", str(settings.SESSION_FILE_PATH)))
    if engine == "signed_cookies":
        rows.append(("Kept in", "the cookie itself: signed, readable by the browser"))
    return rows


def _shown_key(key: str) -> str:
    if settings.SESSION_ENGINE.endswith(".signed_cookies"):
        return f"none: the cookie is the session, {len(key)} characters"
    return shortened(key)


def _shown_value(name: str, value: Any) -> str:
    if name == HASH_SESSION_KEY:
        value = shortened(value)
    return json.dumps(value, ensure_ascii=False)


def shortened(secret: str) -> str:
    return secret[:SHOWN_CHARACTERS] + "…"


def _last_written(session: SessionBase) -> datetime | None:
    note = session.get(LAST_WRITTEN)
    return datetime.fromisoformat(note) if note else None


def _database() -> str:
    connection = connections[router.db_for_read(Session)]
    name, host = connection.settings_dict["NAME"], connection.settings_dict["HOST"]
    place = f"{name} on {host}" if host else str(name)
    return f"{connection.display_name}: table {Session._meta.db_table} in {place}"


def _cache() -> str:
    entry = settings.CACHES[settings.SESSION_CACHE_ALIAS]
    location = entry["LOCATION"] or "the memory of this process"
    return f"{entry['BACKEND']}: {location}"
