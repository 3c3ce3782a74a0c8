"""The methods that a store implements, as Django documents them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from dj_sessions._session.lifetime import SessionLifetime
from dj_sessions._session.twins import in_thread


class StoreMethods(SessionLifetime):
    """The methods that a store implements; here each raises NotImplementedError."""

    #: The async twin that the type stubs of Django do not know.
    arefresh: Callable[[], Coroutine[Any, Any, None]]

    @in_thread
    def refresh(self) -> None:
        """Load what others have saved since this session was loaded; keep its own changes.

        Raises UpdateError if the session has ended meanwhile.
        """
        raise NotImplementedError("subclasses of SessionBase must provide a refresh() method")

    @in_thread
    def exists(self, session_key: str) -> bool:
        """Return whether the store holds a session under ``session_key``."""
        raise NotImplementedError("subclasses of SessionBase must provide an exists() method")

    @in_thread
    def create(self) -> None:
        """Store this session under a new key.

        Raises SessionEncodeError for a value that cannot be stored. On StoredSession it also raises
        RuntimeError if the store refuses each new key, and ValueError if a subclass makes a key
        that is not allowed.
        """
        raise NotImplementedError("subclasses of SessionBase must provide a create() method")

    @in_thread
    def save(self, must_create: bool = False) -> None:
        """Store the data: as a new session with ``must_create``, else over the stored one.

        Raises CreateError if the new key is taken, UpdateError if the session is gone, and
        SessionEncodeError for a value that cannot be stored. On StoredSession it also raises
        SessionConflict if others changed the session during each attempt.
        """
        raise NotImplementedError("subclasses of SessionBase must provide a save() method")

    @in_thread
    def delete(self, session_key: str | None = None) -> None:
        """Remove the session under ``session_key``, by default this session's own key."""
        raise NotImplementedError("subclasses of SessionBase must provide a delete() method")

    @in_thread
    def load(self) -> dict[str, Any]:
        """Return the stored data. If there is none, return an empty dictionary and drop the key."""
        raise NotImplementedError("subclasses of SessionBase must provide a load() method")

    @classmethod
    @in_thread
    def clear_expired(cls) -> None:
        """Remove the expired sessions; do nothing if the store removes them itself."""
        raise NotImplementedError("This backend does not support clear_expired().")
