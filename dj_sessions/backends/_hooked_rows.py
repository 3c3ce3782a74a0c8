"""The rows of a model, read by a hook that Django documents and a subclass overrides."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections, router

from dj_sessions.storage import Record
from dj_sessions.storage.rows.orm import loaded_from
from dj_sessions.storage.rows.storage import RowStorage
from dj_sessions.storage.rows.transactions import is_inside


class HookedRows(RowStorage):
    """Rows that ``_get_session_from_db()`` of the session finds; a forward is no row of it."""

    def __init__(self, model: Any, session: Any, *, has_own_keys: bool, store: type | None) -> None:
        super().__init__(model, has_own_keys=has_own_keys, store=store)
        self._session = session
        # The hook has two twins, of which either may be the site's.
        self.async_native = session._async_overrides  # type: ignore[misc]

    def read(self, key: str) -> Record | None:
        return loaded_from(self._session._get_session_from_db())

    async def aread(self, key: str) -> Record | None:
        return loaded_from(await self._session._aget_session_from_db())

    def read_written(self, key: str) -> Record | None:
        return self.read(key) if self._is_asked_for(key) else super().read_written(key)

    async def aread_written(self, key: str) -> Record | None:
        """``read_written()``."""
        if self._is_asked_for(key):
            return await self.aread(key)
        return await sync_to_async(super().read_written)(key)

    def read_latest(self, key: str) -> Record | None:
        if not self._is_asked_for(key):
            return super().read_latest(key)
        return self._past_snapshot(key, self.read(key))

    async def aread_latest(self, key: str) -> Record | None:
        if not self._is_asked_for(key):
            return await sync_to_async(super().read_latest)(key)
        return await sync_to_async(self._past_snapshot)(key, await self.aread(key))

    def _is_asked_for(self, key: str) -> bool:
        return bool(key == self._session._session_key)

    def _past_snapshot(self, key: str, found: Record | None) -> Record | None:
        """Return what was found, or a forward in its place.

        Inside a transaction, which may show an old row, it is read anew.
        """
        if found is None:
            forward = super().read_written(key)
            return forward if forward is not None and forward.forward is not None else None
        using = router.db_for_write(self.model)
        return super().read_latest(key) if is_inside(connections[using]) else found
