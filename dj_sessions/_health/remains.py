"""What the sessions of a trial leave in the store: noted before it is stored, and removed."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from asgiref.sync import sync_to_async

from dj_sessions._session.modes import Mode
from dj_sessions.backends.stored import StoredSession
from dj_sessions.checks._shared import is_kept_by_clients


class Remains:
    """The keys under which sessions of ``store`` may be stored; none where clients keep them."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._is_stored = issubclass(store, StoredSession)
        self._keys: dict[str, None] = {}

    def session(self, key: str | None = None) -> Any:
        """Return a session that has its new keys noted before anything is stored under them."""
        session = self._store(key)
        make, amake = session._get_new_session_key, session._aget_new_session_key

        def made() -> str:
            key: str = make()
            self.note(key)
            return key

        async def amade() -> str:
            key: str = await amake()
            self.note(key)
            return key

        session._get_new_session_key, session._aget_new_session_key = made, amade
        return session

    def note(self, key: str | None) -> None:
        """Note that something may be stored under ``key``, if there is one."""
        if key and not is_kept_by_clients(self._store):
            self._keys[key] = None

    async def remove(self, mode: Mode) -> bool:
        """Remove what there is under each key; return whether that worked."""
        is_clean = True
        for key in self._keys:
            try:
                await self._remove(mode, key)
            except Exception:  # noqa: BLE001 # whatever it is, what the trial has raised says more
                is_clean = False
        return is_clean

    async def _remove(self, mode: Mode, key: str) -> None:
        session = self._store(key)
        if not self._is_stored or session._deletes_its_own_way():
            await mode(session.delete, session.adelete, key)
        if self._is_stored:
            storage = session._storage
            with suppress(NotImplementedError):  # by one that has async methods alone
                await mode(storage.drop_forward, sync_to_async(storage.drop_forward), key)
            await mode(storage.remove, storage.aremove, key)
