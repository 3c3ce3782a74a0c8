"""A storage around a storage."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.checks import CheckMessage

from dj_sessions.storage.base import Commit, Record, Storage
from dj_sessions.storage.clearing import Purge


class StorageWrapper(Storage):
    """A storage that does nothing of its own: ``inner`` does what a subclass does not override.

    Where a subclass overrides a sync method alone, its async twin calls that in a thread. Whoever
    changes records overrides ``read()`` and ``read_latest()`` alike.
    """

    def __init__(self, inner: Storage) -> None:
        #: The storage inside.
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        """Return what the storage inside has beyond the contract, as its engine may need it."""
        if name == "inner":  # not made yet, as while it is copied
            raise AttributeError(name)
        return getattr(self.inner, name)

    # What it declares

    @property
    def atomic_replace(self) -> bool:  # type: ignore[override] # it depends on the storage inside
        """Whether the storage inside compares and writes in one step."""
        return self.inner.atomic_replace

    @property
    def forgets_expired(self) -> bool:  # type: ignore[override]
        """Whether the storage inside forgets expired sessions."""
        return self.inner.forgets_expired

    @property
    def async_native(self) -> bool:  # type: ignore[override]
        """Whether the async twins of the storage inside do I/O of their own."""
        return self.inner.async_native

    @property
    def blocking(self) -> bool:  # type: ignore[override]
        """Whether the sync methods of the storage inside do I/O."""
        return self.inner.blocking

    @property
    def commit(self) -> Commit | None:  # type: ignore[override]
        """What the last write of the storage inside waits for."""
        return self.inner.commit

    def check(self) -> list[CheckMessage]:
        return self.inner.check()

    # The methods

    def read(self, key: str) -> Record | None:
        return self.inner.read(key)

    def read_latest(self, key: str) -> Record | None:
        return self.inner.read_latest(key)

    def insert(self, key: str, record: Any) -> bool:
        return self.inner.insert(key, record)

    def replace(self, key: str, record: Any, expected: Record | None) -> bool:
        return self.inner.replace(key, record, expected)

    def remove(self, key: str, expected: Record | None = None) -> bool:
        return self.inner.remove(key, expected)

    def move(self, key: str, expected: Record | None, forward: str) -> bool:
        return self.inner.move(key, expected, forward)

    def holds(self, key: str) -> bool:
        return self.inner.holds(key)

    def may_wait(self) -> bool:
        return self.inner.may_wait()

    def purge(self, now: datetime, batch: int) -> int:
        return self.inner.purge(now, batch)

    def start_purge(self, now: datetime) -> Purge:
        if self._overrides("purge"):
            return super().start_purge(now)
        return self.inner.start_purge(now)

    # The async twins

    async def aread(self, key: str) -> Record | None:
        if self._overrides("read"):
            return await super().aread(key)
        return await self.inner.aread(key)

    async def aread_latest(self, key: str) -> Record | None:
        if self._overrides("read_latest"):
            return await super().aread_latest(key)
        return await self.inner.aread_latest(key)

    async def ainsert(self, key: str, record: Any) -> bool:
        if self._overrides("insert"):
            return await super().ainsert(key, record)
        return await self.inner.ainsert(key, record)

    async def areplace(self, key: str, record: Any, expected: Record | None) -> bool:
        if self._overrides("replace"):
            return await super().areplace(key, record, expected)
        return await self.inner.areplace(key, record, expected)

    async def aremove(self, key: str, expected: Record | None = None) -> bool:
        if self._overrides("remove"):
            return await super().aremove(key, expected)
        return await self.inner.aremove(key, expected)

    async def amove(self, key: str, expected: Record | None, forward: str) -> bool:
        if self._overrides("move"):
            return await super().amove(key, expected, forward)
        return await self.inner.amove(key, expected, forward)

    async def aholds(self, key: str) -> bool:
        if self._overrides("holds"):
            return await super().aholds(key)
        return await self.inner.aholds(key)

    def _overrides(self, name: str) -> bool:
        """Return whether a subclass overrides a method: then its twin must reach that."""
        return getattr(type(self), name) is not getattr(StorageWrapper, name)
