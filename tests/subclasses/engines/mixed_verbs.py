"""An engine with sync verbs, of which some have an async twin of their own."""

from __future__ import annotations

import asyncio

from dj_sessions.backends.stored import Record
from tests.subclasses.engines.verbs import SessionStore as VerbsStore


class SessionStore(VerbsStore):
    async def _aread(self, key: str) -> Record | None:
        await asyncio.sleep(0)  # a real client would give way to other tasks too
        return self.records.get(key)

    async def _aremove(self, key: str) -> bool:
        await asyncio.sleep(0)
        return self.records.pop(key, None) is not None
