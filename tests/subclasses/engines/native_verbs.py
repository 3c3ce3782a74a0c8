"""An engine whose storage verbs are async alone."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from dj_sessions.backends.stored import Record, StoredSession


class SessionStore(StoredSession):
    records: ClassVar[dict[str, Record]] = {}

    async def _aread(self, key: str) -> Record | None:
        await asyncio.sleep(0)  # a real client would give way to other tasks too
        return self.records.get(key)

    async def _ainsert(self, key: str, record: Record) -> bool:
        await asyncio.sleep(0)
        return self.records.setdefault(key, record) is record

    async def _areplace(self, key: str, record: Record, expected: Record | None) -> bool:
        await asyncio.sleep(0)
        current = self.records.get(key)
        if current is None or (expected is not None and current.payload != expected.payload):
            return False
        self.records[key] = record
        return True

    async def _aremove(self, key: str) -> bool:
        await asyncio.sleep(0)
        return self.records.pop(key, None) is not None
