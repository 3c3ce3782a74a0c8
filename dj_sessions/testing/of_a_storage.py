"""What the tests of a storage have in common: the storage, its records, and what is expected."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, ClassVar, Final

from django.utils import timezone

from dj_sessions import _keys
from dj_sessions.storage import Record, Storage
from dj_sessions.testing.threads import at_a_time

#: Seconds.
HOUR: Final = 3600
#: How often threads meet in a test.
ROUNDS: Final = 3


class OfAStorage:
    """What the tests are given, and what they expect of several methods."""

    #: How many threads make the same call at the same time; 0 leaves those tests out. Set 0 where
    #: each thread would see its own store, as in Django's ``TestCase``, which is one transaction.
    threads: ClassVar[int] = 8

    def make_storage(self) -> Storage:
        """Return a new storage object. All of them must use the same store."""
        raise NotImplementedError("Return a storage from make_storage().")

    def make_record(self, key: str, data: dict[str, Any], age: int) -> Record:
        """Return a record of ``data`` to store under ``key``. It expires in ``age`` seconds."""
        modified = timezone.now()
        return Record(json.dumps(data), modified + timedelta(seconds=age), modified)

    def data_of(self, record: Record) -> Any:
        """Return the data of a record that ``make_record()`` or the storage returned."""
        return json.loads(record.payload)

    def do(self, storage: Storage, method: str, *args: Any) -> Any:
        """Call a method of a storage."""
        return getattr(storage, method)(*args)

    def _at_a_time(self, method: str, calls: list[tuple[Any, ...]]) -> list[bool]:
        """Return what each call returns, with all of them made at the same time."""
        return at_a_time(self.do, self.make_storage, method, calls)

    # What the tests have in common

    def _inserted(self, data: dict[str, Any]) -> tuple[str, Record]:
        key = _keys.new_key()
        record = self.make_record(key, data, HOUR)
        inserted = self.do(self.make_storage(), "insert", key, record)
        expect(inserted is True, "insert() under a new key returns True")
        return key, record

    def _expect_kept(self, key: str, record: Record) -> None:
        for method in ("read", "read_latest"):
            found = self.do(self.make_storage(), method, key)
            same = found is not None and self.data_of(found) == self.data_of(record)
            expect(same, f"{method}() gives what was stored last: {found}")
        expect(self.do(self.make_storage(), "holds", key) is True, "holds() returns True")

    def _expect_over(self, key: str) -> None:
        found = self.do(self.make_storage(), "read", key)
        # Of some only the data tells when they end: the session looks at it.
        is_told = found is None or (found.expiry is None and found.modified is not None)
        expect(is_told, f"read() gives nothing that has ended: {found}")

    def _expect_nothing(self, key: str) -> None:
        for method in ("read", "read_latest"):
            found = self.do(self.make_storage(), method, key)
            expect(found is None, f"{method}() returns None where there is nothing: {found}")
        expect(self.do(self.make_storage(), "holds", key) is False, "holds() returns False")


def expect(is_kept: bool, promise: str) -> None:
    """Raise AssertionError with the promise that was not kept."""
    if not is_kept:
        raise AssertionError(promise)
