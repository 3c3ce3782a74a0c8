"""What the contract tests share: sessions that are in the store already."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import override_settings

from tests.modes import Mode
from tests.settings import WITH
from tests.stores import Store

#: What SESSIONS_WITH turns on for these tests; the others look at what is stored.
AT_REST = {
    "encryption": {"SESSION_SERIALIZER": "dj_sessions.serializers.EncryptedJSONSerializer"},
    "hashed": {"SESSION_KEY_STORAGE": ["hashed"]},
}


@pytest.fixture(autouse=True)
def at_rest() -> Iterator[None]:
    """Encrypt sessions, and hash their keys, in a run that asks for it."""
    with override_settings(
        **{k: v for word in WITH & AT_REST.keys() for k, v in AT_REST[word].items()}
    ):
        yield


@pytest.fixture(autouse=True)
def is_listed(request: pytest.FixtureRequest) -> None:
    """List the sessions of users in a run that asks for it."""
    if "user_sessions" in WITH:
        request.getfixturevalue("listed")


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
