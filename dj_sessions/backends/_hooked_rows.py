"""The rows of a model, read by a hook that Django documents and a subclass overrides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.db import connections, router

from dj_sessions.storage import Record, Storage
from dj_sessions.storage.rows.record import loaded_from
from dj_sessions.storage.rows.storage import RowStorage
from dj_sessions.storage.rows.transactions import is_inside

#: The attribute that has the key of a session.
KEY: Final = "_SessionBase__session_key"


class HookedRows(RowStorage):
    """Rows that ``_get_session_from_db()`` of the session finds; a forward is no row of it."""

    def __init__(self, model: Any, session: Any, *, has_own_keys: bool, store: type | None) -> None:
        super().__init__(model, has_own_keys=has_own_keys, store=store)
        self._session = session
        # The hook has two twins, of which either may be the site's.
        self.async_native = session._async_overrides  # type: ignore[misc]

    def read(self, key: str) -> Record | None:
        with self._hooked(key) as session:
            return loaded_from(session._get_session_from_db())

    async def aread(self, key: str) -> Record | None:
        with self._hooked(key) as session:
            return loaded_from(await session._aget_session_from_db())

    @contextmanager
    def _hooked(self, name: str) -> Iterator[Any]:
        """Yield the session as the hook shall see it: under the name that is asked for."""
        session = self._session
        # With two forms the hook shall not look under the other one, where it would find the row.
        if name == session._session_key and len(session._names_of(name)) == 1:
            yield session
            return
        other = session._under(name)
        before = dict(vars(other))
        try:
            yield other
        except BaseException:
            if other._session_key is None:  # it takes a row for granted, and would fail again
                session._session_key = None
            raise
        for attribute, value in vars(other).items():
            # What the hook has noted in the session, it looks for there.
            if attribute != KEY and value is not before.get(attribute):
                setattr(session, attribute, value)

    read_renamed = Storage.read_renamed  # which asks the hook for each name

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
        asked = self._session._session_key
        return asked is not None and key in self._session._names_of(asked)

    def _past_snapshot(self, key: str, found: Record | None) -> Record | None:
        """Return what was found, or a forward in its place.

        Inside a transaction, which may show an old row, it is read anew.
        """
        if found is None:
            forward = super().read_written(key)
            return forward if forward is not None and forward.forward is not None else None
        using = router.db_for_write(self.model)
        return super().read_latest(key) if is_inside(connections[using]) else found
