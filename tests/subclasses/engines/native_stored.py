"""An engine over a storage whose methods are async alone."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from dj_sessions.backends.stored import Record, Storage, StoredSession


class NativeStorage(Storage):
    async_native = True

    def __init__(self, records: dict[str, Record]) -> None:
        self.records = records

    async def aread(self, key: str) -> Record | None:
        await asyncio.sleep(0)  # a real client would give way to other tasks too
        return self.records.get(key)

    async def ainsert(self, key: str, record: Record) -> bool:
        await asyncio.sleep(0)
        return self.records.setdefault(key, record) is record

    async def areplace(self, key: str, record: Record, expected: Record | None) -> bool:
        await asyncio.sleep(0)
        if not self._has(key, expected):
            return False
        self.records[key] = record
        return True

    async def aremove(self, key: str, expected: Record | None = None) -> bool:
        await asyncio.sleep(0)
        return self._has(key, expected) and self.records.pop(key, None) is not None

    def _has(self, key: str, expected: Record | None) -> bool:
        found = self.records.get(key)
        return found is not None and (expected is None or found.payload == expected.payload)


class SessionStore(StoredSession):
    records: ClassVar[dict[str, Record]] = {}

    def get_storage(self) -> Storage:
        return NativeStorage(self.records)
