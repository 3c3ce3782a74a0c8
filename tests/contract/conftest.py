"""What the contract tests share: sessions that are in the store already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.modes import Mode
from tests.stores import Store


@pytest.fixture
def new(store: Store, mode: Mode) -> Callable[[], Any]:
    """Make the session of a visitor without a cookie."""
    return lambda: mode.wrap(store.SessionStore())


@pytest.fixture
def reopen(store: Store, mode: Mode) -> Callable[[str | None], Any]:
    """Make the session that the next request with this key has, not yet loaded."""
    return lambda key: mode.wrap(store.SessionStore(key))


@pytest.fixture
def save(new: Callable[[], Any]) -> Callable[..., str]:
    """Store a session with these data and return its key."""

    def save(**data: Any) -> str:
        session = new()
        session.update(data)
        session.save()
        return session.raw.session_key

    return save
