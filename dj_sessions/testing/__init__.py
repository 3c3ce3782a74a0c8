"""Tests of what a storage promises. They run on your own storage as on those of this package.

Derive from ``StorageContract``, a plain class without pytest, and return your storage::

    class TestMemoryStorage(StorageContract):
        def make_storage(self):
            return MemoryStorage()

pytest runs this class as it is. For unittest, derive from ``unittest.TestCase``, too. Derive from
``AsyncStorageContract`` in the same way to test the async twins.
"""

from __future__ import annotations

from typing import Any

from asgiref.sync import async_to_sync

from dj_sessions.storage import Storage
from dj_sessions.testing.keeping import KeepsSessions
from dj_sessions.testing.renaming import RenamesSessions

__all__ = ["AsyncStorageContract", "StorageContract"]


class StorageContract(KeepsSessions, RenamesSessions):
    """Tests of a storage's sync methods. Each test uses keys of its own."""


class AsyncStorageContract(StorageContract):
    """The same tests of a storage's async twins."""

    def do(self, storage: Storage, method: str, *args: Any) -> Any:
        """Await the async twin of a method."""
        return async_to_sync(getattr(storage, f"a{method}"))(*args)
