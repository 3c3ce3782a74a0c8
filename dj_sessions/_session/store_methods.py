"""What a store implements, as Django documents it, and what each method promises."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from dj_sessions._session.lifetime import SessionLifetime
from dj_sessions._session.twins import in_thread


class StoreMethods(SessionLifetime):
    """The methods of a store, without one."""

    #: The async twin that the type stubs of Django do not know.
    arefresh: Callable[[], Coroutine[Any, Any, None]]

    @in_thread
    def refresh(self) -> None:
        """Take over what others have saved since this session was loaded; keep its own changes.

        Raises UpdateError if the session was ended meanwhile.
        """
        raise NotImplementedError("subclasses of SessionBase must provide a refresh() method")

    @in_thread
    def exists(self, session_key: str) -> bool:
        """Return whether the store holds a session under ``session_key``."""
        raise NotImplementedError("subclasses of SessionBase must provide an exists() method")

    @in_thread
    def create(self) -> None:
        """Store this session under a new key.

        Raises SessionEncodeError for a value that cannot be stored; on StoredSession RuntimeError
        if the store refuses each new key, ValueError if a subclass makes one that cannot be a key.
        """
        raise NotImplementedError("subclasses of SessionBase must provide a create() method")

    @in_thread
    def save(self, must_create: bool = False) -> None:
        """Store the data: under a new key with ``must_create``, else over what is there.

        Raises CreateError if the new key is taken, UpdateError if nothing is there any more,
        SessionEncodeError for a value that cannot be stored, and on StoredSession SessionConflict
        if others changed the session during each attempt.
        """
        raise NotImplementedError("subclasses of SessionBase must provide a save() method")

    @in_thread
    def delete(self, session_key: str | None = None) -> None:
        """Remove the session under ``session_key``, its own by default, from the store."""
        raise NotImplementedError("subclasses of SessionBase must provide a delete() method")

    @in_thread
    def load(self) -> dict[str, Any]:
        """Return the stored data; where there is none, an empty dictionary, and drop the key."""
        raise NotImplementedError("subclasses of SessionBase must provide a load() method")

    @classmethod
    @in_thread
    def clear_expired(cls) -> None:
        """Remove the sessions that have expired; does nothing where the store does it."""
        raise NotImplementedError("This backend does not support clear_expired().")
