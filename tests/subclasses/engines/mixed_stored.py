"""An engine over a storage with sync methods, of which some have an async twin of their own."""

from __future__ import annotations

import asyncio

from dj_sessions.backends.stored import Record, Storage
from tests.subclasses.engines.stored import DictStorage
from tests.subclasses.engines.stored import SessionStore as DictStore


class MixedStorage(DictStorage):
    async_native = True

    async def aread(self, key: str) -> Record | None:
        await asyncio.sleep(0)  # a real client would give way to other tasks too
        return self.read(key)

    async def aremove(self, key: str, expected: Record | None = None) -> bool:
        await asyncio.sleep(0)
        return self.remove(key, expected)


class SessionStore(DictStore):
    def get_storage(self) -> Storage:
        return MixedStorage(self.records)
