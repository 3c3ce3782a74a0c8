"""A storage around a storage."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from random import Random
from typing import Any

from django.core.checks import CheckMessage

from dj_sessions.storage.base import Commit, Entries, Entry, Record, Sample, Storage
from dj_sessions.storage.clearing import Purge


class StorageWrapper(Storage):
    """A storage that passes each call to ``inner``, the storage inside. Override what you change.

    If a subclass overrides a sync method only, the async twin calls that method in a thread. A
    subclass that changes records overrides both ``read()`` and ``read_latest()``.
    """

    def __init__(self, inner: Storage) -> None:
        #: The storage inside.
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        """Return what the storage inside has beyond the contract; its engine may need it."""
        if name == "inner":  # not made yet, as while it is copied
            raise AttributeError(name)
        return getattr(self.inner, name)

    # What it declares

    @property
    def atomic_replace(self) -> bool:  # type: ignore[override] # it depends on the storage inside
        """Whether the storage inside compares and writes in one step."""
        return self.inner.atomic_replace

    @property
    def atomic_rename(self) -> bool:  # type: ignore[override]
        """Whether the storage inside renames in one step."""
        return self.inner.atomic_rename

    @property
    def forgets_expired(self) -> bool:  # type: ignore[override]
        """Whether the store of the storage inside removes expired sessions itself."""
        return self.inner.forgets_expired

    @property
    def lists_in_order(self) -> bool:  # type: ignore[override]
        """Whether the storage inside lists its names in an order."""
        return self.inner.lists_in_order

    @property
    def async_native(self) -> bool:  # type: ignore[override]
        """Whether the async twins of the storage inside do their I/O in the event loop."""
        return self.inner.async_native

    @property
    def blocking(self) -> bool:  # type: ignore[override]
        """Whether the sync methods of the storage inside do I/O."""
        return self.inner.blocking

    @property
    def database(self) -> str | None:  # type: ignore[override]
        """The database whose transactions the storage inside takes part in, or None."""
        return self.inner.database

    @property
    def place(self) -> Any:
        """What says where the storage inside keeps sessions."""
        return self.inner.place

    @property
    def commit(self) -> Commit | None:  # type: ignore[override]
        """The end of the transaction around the last write of the storage inside, or None."""
        return self.inner.commit

    def check(self) -> list[CheckMessage]:
        return self.inner.check()

    # The methods

    def read(self, key: str) -> Record | None:
        return self.inner.read(key)

    def read_latest(self, key: str) -> Record | None:
        return self.inner.read_latest(key)

    def read_whole(self, key: str) -> Record | None:
        if self._overrides("read_latest"):  # it may change the record
            return self.read_latest(key)
        return self.inner.read_whole(key)

    def insert(self, key: str, record: Any) -> bool:
        return self.inner.insert(key, record)

    def replace(self, key: str, record: Any, expected: Record | None) -> bool:
        return self.inner.replace(key, record, expected)

    def remove(self, key: str, expected: Record | None = None) -> bool:
        return self.inner.remove(key, expected)

    def move(self, key: str, expected: Record | None, forward: str) -> bool:
        return self.inner.move(key, expected, forward)

    def drop_forward(self, key: str) -> None:
        self.inner.drop_forward(key)

    def read_renamed(self, key: str, new: str, latest: bool = False) -> tuple[str, Record] | None:
        return self.inner.read_renamed(key, new, latest)

    def rename(self, key: str, new: str, record: Any, expected: Record | None) -> str | None:
        return self.inner.rename(key, new, record, expected)

    def holds(self, key: str) -> bool:
        return self.inner.holds(key)

    def read_among(self, keys: Collection[str]) -> dict[str, Record]:
        if self._overrides("read_latest"):
            return super().read_among(keys)
        return self.inner.read_among(keys)

    def names_around_save(self, key: str) -> tuple[str, str]:
        return self.inner.names_around_save(key)

    def count_forms(self, now: datetime) -> dict[str, int]:
        return self.inner.count_forms(now)

    def may_wait(self) -> bool:
        return self.inner.may_wait()

    def purge(self, now: datetime, batch: int) -> int:
        return self.inner.purge(now, batch)

    def start_purge(self, now: datetime) -> Purge:
        if self._overrides("purge"):
            return super().start_purge(now)
        return self.inner.start_purge(now)

    def names(self, batch: int, after: str = "") -> Iterator[list[str]]:
        return self.inner.names(batch, after)

    def many(self, method: str, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        if self._overrides(method):
            return super().many(method, calls)
        return self.inner.many(method, calls)

    def entries(self, batch: int) -> Iterator[Entries]:
        if self._overrides("read") or self._overrides("replace"):
            return super().entries(batch)  # whose records may be other ones than those inside
        return self.inner.entries(batch)

    def sample(self, size: int, random: Random) -> Sample:
        if self._overrides("read") or self._overrides("replace"):
            return super().sample(size, random)
        return self.inner.sample(size, random)

    def rewrite(self, entry: Entry, payload: Any) -> bool:
        return self.inner.rewrite(entry, payload)

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

    async def aread_renamed(
        self, key: str, new: str, latest: bool = False
    ) -> tuple[str, Record] | None:
        if self._overrides("read_renamed"):
            return await super().aread_renamed(key, new, latest)
        return await self.inner.aread_renamed(key, new, latest)

    async def arename(self, key: str, new: str, record: Any, expected: Record | None) -> str | None:
        if self._overrides("rename"):
            return await super().arename(key, new, record, expected)
        return await self.inner.arename(key, new, record, expected)

    async def aholds(self, key: str) -> bool:
        if self._overrides("holds"):
            return await super().aholds(key)
        return await self.inner.aholds(key)

    def _overrides(self, name: str) -> bool:
        """Return whether a subclass overrides a method: then its twin must reach that."""
        return getattr(type(self), name) is not getattr(StorageWrapper, name)
