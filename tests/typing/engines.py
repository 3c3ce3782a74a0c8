"""Engines of a site's own: overrides in either mode, and one written on SessionBase itself."""

from datetime import datetime
from typing import Any, ClassVar

from dj_sessions.backends.base import CreateError, SessionBase, UpdateError
from dj_sessions.backends.cache import SessionStore as CacheStore
from dj_sessions.backends.cached_db import SessionStore as CachedDBStore
from dj_sessions.backends.db import SessionStore as DBStore
from dj_sessions.backends.stored import StoredSession
from dj_sessions.storage import Record, Storage, StorageWrapper
from dj_sessions.testing import StorageContract


class PrefixedStore(CachedDBStore):
    cache_key_prefix = "shop.sessions."


class CountingStore(DBStore):
    loads = 0

    def load(self) -> dict[str, Any]:
        type(self).loads += 1
        return super().load()

    def save(self, must_create: bool = False) -> None:
        super().save(must_create)

    def delete(self, session_key: str | None = None) -> None:
        super().delete(session_key)

    def cycle_key(self) -> None:
        super().cycle_key()

    def get_session_cookie_age(self) -> int:
        return 60

    @property
    def key_salt(self) -> str:
        return "shop"

    @classmethod
    def clear_expired(cls) -> None:
        super().clear_expired()

    def _get_session_from_db(self) -> Any:
        return super()._get_session_from_db()


class AsyncCountingStore(CacheStore):
    async def aload(self) -> dict[str, Any]:
        return await super().aload()

    async def asave(self, must_create: bool = False) -> None:
        await super().asave(must_create)

    async def aget(self, key: str, default: Any = None) -> Any:
        return await super().aget(key, default)

    @property
    def cache_key(self) -> str:
        return f"own:{super().cache_key}"


class MemoryStore(SessionBase):
    """As third parties write engines: the methods of Django's documentation, nothing else."""

    records: ClassVar[dict[str, str]] = {}

    def exists(self, session_key: str | None) -> bool:
        return session_key in self.records

    def create(self) -> None:
        self._session_key = self._get_new_session_key()
        self.save(must_create=True)
        self.modified = True

    def save(self, must_create: bool = False) -> None:
        key = self.session_key
        if key is None:
            return self.create()
        if must_create and key in self.records:
            raise CreateError
        if not must_create and key not in self.records:
            raise UpdateError
        self.records[key] = self.encode(self._get_session(no_load=must_create))
        return None

    def delete(self, session_key: str | None = None) -> None:
        self.records.pop(session_key or self.session_key or "", None)

    def load(self) -> dict[str, Any]:
        return self.decode(self.records.get(self.session_key or "", ""))

    @classmethod
    def clear_expired(cls) -> None:
        cls.records.clear()


class RecordStorage(Storage):
    atomic_replace = True

    def __init__(self, records: dict[str, Record]) -> None:
        self.records = records

    def read(self, key: str) -> Record | None:
        return self.records.get(key)

    def insert(self, key: str, record: Record) -> bool:
        return record.age > 0 and self.records.setdefault(key, record) is record

    def replace(self, key: str, record: Record, expected: Record | None) -> bool:
        found = self.read(key)
        if found is None or (expected and expected.payload != found.payload):
            return False
        self.records[key] = record
        return True

    def remove(self, key: str, expected: Record | None = None) -> bool:
        return self.records.pop(key, None) is not None

    def purge(self, now: datetime, batch: int) -> int:
        return 0

    async def aread(self, key: str) -> Record | None:
        return self.read(key)


class CountingStorage(StorageWrapper):
    reads = 0

    def read(self, key: str) -> Record | None:
        self.reads += 1
        return super().read(key)


class StoredInRecords(StoredSession):
    records: ClassVar[dict[str, Record]] = {}

    def get_storage(self) -> Storage:
        return CountingStorage(RecordStorage(self.records))


class RecordStorageTests(StorageContract):
    def make_storage(self) -> Storage:
        return RecordStorage({})


async def use() -> None:
    stored = StoredInRecords()
    await stored.aset("colour", "green")
    await stored.asave()
    stored.cycle_key()
    session = MemoryStore()
    await session.aset("colour", "green")
    await session.asave()
    await AsyncCountingStore("abcdefgh").aload()
