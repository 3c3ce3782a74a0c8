"""What the tests of the list share: the list is on, and a visitor who logs in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dj_sessions.user_sessions import ending, limit
from tests.modes import Mode
from tests.patience import PATIENCE
from tests.stores import Store
from tests.user_sessions.rows import login_of

#: The list has no code of a database's or a cache's own: one store of each engine tells.
ONE_OF_EACH = (
    "db-sqlite",
    "db-postgres",
    "cached_db-postgres-redis",
    "cache-redis",
    "file",
    "redis",
    "moving",
)


@pytest.fixture(autouse=True)
def a_busy_machine_is_no_reason_to_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes long is not for that a lock that is waited for, nor a store that is down."""
    monkeypatch.setattr(limit, "LONGEST_DEADLOCK", PATIENCE)
    monkeypatch.setattr(ending, "PATIENCE", PATIENCE)


@pytest.fixture(autouse=True)
def is_listed(listed: Any) -> None:
    """Every test in this folder has the list on."""


@pytest.fixture
def log_in(store: Store, mode: Mode) -> Callable[..., Any]:
    """Store a session in which a user is logged in, by code that sets its keys; return it."""

    def log_in(user: Any, **data: Any) -> Any:
        session = mode.wrap(store.SessionStore())
        session.update(login_of(user) | data)
        session.save()
        return session

    return log_in
