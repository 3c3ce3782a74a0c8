"""An engine written straight on SessionBase: async alone, as a native client would be."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from dj_sessions.backends.base import CreateError, SessionBase, UpdateError


class SessionStore(SessionBase):
    records: ClassVar[dict[str, str]] = {}

    @classmethod
    async def _records(cls) -> dict[str, str]:
        await asyncio.sleep(0)  # a real client would give way to other tasks too
        return cls.records

    async def aexists(self, session_key: str | None) -> bool:
        return session_key in await self._records()

    async def acreate(self) -> None:
        self._session_key = await self._aget_new_session_key()
        await self.asave(must_create=True)
        self.modified = True

    async def asave(self, must_create: bool = False) -> None:
        key = self.session_key
        if key is None:
            await self.acreate()
            return
        data = await self._aget_session(no_load=must_create)
        records = await self._records()
        if must_create and key in records:
            raise CreateError
        if not must_create and key not in records:
            raise UpdateError
        records[key] = self.encode(data)

    async def adelete(self, session_key: str | None = None) -> None:
        (await self._records()).pop(session_key or self.session_key, None)

    async def aload(self) -> dict[str, Any]:
        records = await self._records()
        if self.session_key not in records:
            self._session_key = None
            return {}
        return self.decode(records[self.session_key])

    @classmethod
    async def aclear_expired(cls) -> None:
        (await cls._records()).clear()
