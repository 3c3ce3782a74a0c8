"""An engine over a storage that implements the five methods, and nothing else."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from dj_sessions.backends.stored import Record, Storage, StoredSession


class DictStorage(Storage):
    def __init__(self, records: dict[str, Record]) -> None:
        self.records = records

    def read(self, key: str) -> Record | None:
        return self.records.get(key)

    def insert(self, key: str, record: Record) -> bool:
        return self.records.setdefault(key, record) is record

    def replace(self, key: str, record: Record, expected: Record | None) -> bool:
        if not self._has(key, expected):
            return False
        self.records[key] = record
        return True

    def remove(self, key: str, expected: Record | None = None) -> bool:
        return self._has(key, expected) and self.records.pop(key, None) is not None

    def purge(self, now: datetime, batch: int) -> int:
        expired = [key for key, record in self.records.items() if record.expiry < now][:batch]
        for key in expired:
            del self.records[key]
        return len(expired)

    def _has(self, key: str, expected: Record | None) -> bool:
        found = self.records.get(key)
        return found is not None and (expected is None or found.payload == expected.payload)


class SessionStore(StoredSession):
    records: ClassVar[dict[str, Record]] = {}

    def get_storage(self) -> Storage:
        return DictStorage(self.records)
