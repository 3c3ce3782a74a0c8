"""An engine that implements the storage verbs of StoredSession, and nothing else."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from dj_sessions.backends.stored import Record, StoredSession


class SessionStore(StoredSession):
    records: ClassVar[dict[str, Record]] = {}

    def _record(self, data: dict[str, Any]) -> Record:
        return Record(self.encode(data), self.get_expiry_date())

    def _read(self, key: str) -> Record | None:
        return self.records.get(key)

    def _insert(self, key: str, record: Record) -> bool:
        return self.records.setdefault(key, record) is record

    def _replace(self, key: str, record: Record, expected: Record | None) -> bool:
        current = self.records.get(key)
        if current is None or (expected is not None and current.payload != expected.payload):
            return False
        self.records[key] = record
        return True

    def _remove(self, key: str) -> bool:
        return self.records.pop(key, None) is not None

    @classmethod
    def _purge(cls, now: datetime, batch: int) -> int:
        expired = [key for key, record in cls.records.items() if record.expiry < now][:batch]
        for key in expired:
            del cls.records[key]
        return len(expired)
