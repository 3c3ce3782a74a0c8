"""What the inspector page says about this browser's session."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.db import connections, router

from dj_sessions.models import Session
from testproject.environment import without_password
from testproject.middleware import LAST_WRITTEN

SHOWN_CHARACTERS = 6


@dataclass(frozen=True)
class Report:
    key: str
    data: list[tuple[str, str]]
    last_written: datetime | None
    expires: datetime
    ends_with_browser: bool


def report(session: SessionBase) -> Report | None:
    """The session as it may be shown, or None where this browser has none."""
    items = sorted(session.items())
    if not items or not session.session_key:
        return None
    last_written = _last_written(session)
    return Report(
        key=_shown_key(session.session_key),
        data=[(name, _shown_value(name, value)) for name, value in items],
        last_written=last_written,
        expires=session.get_expiry_date(modification=last_written)
        if last_written
        else session.get_expiry_date(),
        ends_with_browser=session.get_expire_at_browser_close(),
    )


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
    location = without_password(entry["LOCATION"]) or "the memory of this process"
    return f"{entry['BACKEND']}: {location}"
