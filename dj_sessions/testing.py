"""Tests of what a storage promises. They run on your own storage as on those of this package.

Derive from ``StorageContract``, a plain class without pytest, and return your storage::

    class TestMemoryStorage(StorageContract):
        def make_storage(self):
            return MemoryStorage()

pytest runs this class as it is. For unittest, derive from ``unittest.TestCase``, too. Derive from
``AsyncStorageContract`` in the same way to test the async twins.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Barrier
from time import sleep
from types import FrameType
from typing import Any, ClassVar, Final
from unittest import SkipTest

from asgiref.sync import async_to_sync
from django.core.cache import caches
from django.db import connections
from django.utils import timezone

from dj_sessions import _keys
from dj_sessions.storage import Record, Storage

__all__ = ["AsyncStorageContract", "StorageContract"]

#: Seconds.
HOUR: Final = 3600
#: Batches after which no expired session may be left.
PATIENCE: Final = 1000
#: Seconds for which a thread lets others go first.
PAUSE: Final = 0.002
#: How often threads meet in a test.
ROUNDS: Final = 3


class StorageContract:
    """Tests of a storage's sync methods. Each test uses keys of its own."""

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

    # The promises

    def test_what_it_says_of_itself_passes_the_check(self) -> None:
        faults = self.make_storage().check()
        _expect(not faults, f"check() finds nothing wrong: {faults}")

    def test_an_unknown_key_has_nothing(self) -> None:
        storage, key = self.make_storage(), _keys.new_key()
        record = self.make_record(key, {}, HOUR)
        self._expect_nothing(key)
        replaced = self.do(storage, "replace", key, record, None)
        _expect(replaced is False, "replace() of an unknown key returns False")
        removed = self.do(storage, "remove", key)
        _expect(removed is False, "remove() of an unknown key returns False")
        self._expect_nothing(key)

    def test_what_was_inserted_is_read(self) -> None:
        key, record = self._inserted({"text": "grün " * 9999, "number": 1})
        self._expect_kept(key, record)

    def test_a_key_is_taken_once(self) -> None:
        key, record = self._inserted({"n": 1})
        other = self.make_record(key, {"n": 2}, HOUR)
        inserted = self.do(self.make_storage(), "insert", key, other)
        _expect(inserted is False, "insert() under a key that is taken returns False")
        self._expect_kept(key, record)

    def test_keys_have_nothing_to_do_with_each_other(self) -> None:
        (key, record), (gone, _) = self._inserted({"n": 1}), self._inserted({"n": 2})
        _expect(self.do(self.make_storage(), "remove", gone) is True, "remove() returns True")
        self._expect_nothing(gone)
        self._expect_kept(key, record)

    def test_replace_compares(self) -> None:
        key, first = self._inserted({"n": 1})
        second, third = (self.make_record(key, {"n": n}, HOUR) for n in (2, 3))
        storage = self.make_storage()
        replaced = self.do(storage, "replace", key, second, first)
        _expect(replaced is True, "replace() of what is expected returns True")
        self._expect_kept(key, second)
        replaced = self.do(storage, "replace", key, third, first)
        _expect(replaced is False, "replace() returns False where something else is expected")
        self._expect_kept(key, second)
        replaced = self.do(storage, "replace", key, third, None)
        _expect(replaced is True, "replace() that expects anything returns True")
        self._expect_kept(key, third)

    def test_what_was_read_is_what_to_expect(self) -> None:
        key, _ = self._inserted({"n": 1})
        storage, second = self.make_storage(), self.make_record(key, {"n": 2}, HOUR)
        for method in ("read", "read_latest"):
            found = self.do(storage, method, key)
            replaced = self.do(storage, "replace", key, second, found)
            _expect(replaced is True, f"replace() compares with what {method}() gave")

    def test_remove_compares(self) -> None:
        key, first = self._inserted({"n": 1})
        storage, second = self.make_storage(), self.make_record(key, {"n": 2}, HOUR)
        self.do(storage, "replace", key, second, first)
        removed = self.do(storage, "remove", key, first)
        _expect(removed is False, "remove() returns False where something else is expected")
        self._expect_kept(key, second)
        removed = self.do(storage, "remove", key, second)
        _expect(removed is True, "remove() of what is expected returns True")
        self._expect_nothing(key)

    def test_what_was_removed_stays_removed(self) -> None:
        key, record = self._inserted({"n": 1})
        storage = self.make_storage()
        _expect(self.do(storage, "remove", key) is True, "remove() returns True")
        _expect(self.do(storage, "remove", key) is False, "remove() returns False the next time")
        for expected in (record, None):
            replaced = self.do(storage, "replace", key, record, expected)
            _expect(replaced is False, "replace() brings nothing back that was removed")
        self._expect_nothing(key)

    def test_what_has_moved_is_no_session_under_its_old_key(self) -> None:
        key, first = self._inserted({"n": 1})
        storage, second = self.make_storage(), self.make_record(key, {"n": 2}, HOUR)
        self.do(storage, "replace", key, second, first)
        moved = self.do(storage, "move", key, first, "forward")
        _expect(moved is False, "move() returns False where something else is expected")
        self._expect_kept(key, second)
        moved = self.do(storage, "move", key, second, "forward")
        _expect(moved is True, "move() of what is expected returns True")
        found = self.do(storage, "read", key)
        is_forward = found is None or found.forward == "forward"
        _expect(is_forward, f"read() gives a forward, or nothing, after move(): {found}")
        _expect(not self.do(storage, "holds", key), "holds() finds no session after move()")
        replaced = self.do(storage, "replace", key, first, None)
        _expect(replaced is False, "replace() finds no session after move()")
        for expected in (second, None):
            removed = self.do(storage, "remove", key, expected)
            _expect(removed is False, "remove() finds no session after move()")

    def test_what_has_ended_is_not_read_and_not_brought_back(self) -> None:
        key = _keys.new_key()
        storage, record = self.make_storage(), self.make_record(key, {"n": 1}, -HOUR)
        self.do(storage, "insert", key, record)
        self._expect_over(key)
        replaced = self.do(storage, "replace", key, record, None)
        _expect(replaced is False, "replace() finds nothing that has ended")

    def test_what_was_replaced_ends_when_the_new_record_says(self) -> None:
        key, first = self._inserted({"n": 1})
        storage, over = self.make_storage(), self.make_record(key, {"n": 2}, -HOUR)
        self.do(storage, "replace", key, over, first)
        self._expect_over(key)

    def test_purge_removes_what_has_ended_and_nothing_else(self) -> None:
        storage = self.make_storage()
        live, record = self._inserted({"n": 1})
        over = [_keys.new_key() for _ in range(3)]
        for key in over:
            self.do(storage, "insert", key, self.make_record(key, {}, -HOUR))
        now = timezone.now() + timedelta(seconds=1)
        removed = [storage.purge(now, 2)]
        _expect(removed[0] <= 2, f"purge() removes one batch at a time, not {removed[0]}")
        while removed[-1] and len(removed) < PATIENCE:
            removed.append(storage.purge(now, 2))
        _expect(removed[-1] == 0, f"purge() returns 0 when nothing is left: {removed}")
        if storage.forgets_expired:
            _expect(sum(removed) == 0, "purge() has nothing to do where a store forgets")
        else:
            _expect(sum(removed) >= len(over), f"purge() removes what has ended: {removed}")
        self._expect_kept(live, record)

    def test_of_several_inserts_at_a_time_one_counts(self) -> None:
        for _ in range(ROUNDS):
            key = _keys.new_key()
            records = [self.make_record(key, {"n": n}, HOUR) for n in range(self.threads)]
            inserted = self._at_a_time("insert", [(key, record) for record in records])
            _expect(sum(inserted) == 1, f"one insert() returns True: {inserted}")
            self._expect_kept(key, records[inserted.index(True)])

    def test_of_several_replaces_at_a_time_one_counts(self) -> None:
        if not self.make_storage().atomic_replace:
            raise SkipTest("It does not say that it compares and writes in one step.")
        for _ in range(ROUNDS):
            key, first = self._inserted({})
            records = [self.make_record(key, {"n": n}, HOUR) for n in range(self.threads)]
            replaced = self._at_a_time("replace", [(key, record, first) for record in records])
            _expect(sum(replaced) == 1, f"one replace() returns True: {replaced}")
            self._expect_kept(key, records[replaced.index(True)])

    # What the tests have in common

    def _inserted(self, data: dict[str, Any]) -> tuple[str, Record]:
        key = _keys.new_key()
        record = self.make_record(key, data, HOUR)
        inserted = self.do(self.make_storage(), "insert", key, record)
        _expect(inserted is True, "insert() under a new key returns True")
        return key, record

    def _expect_kept(self, key: str, record: Record) -> None:
        for method in ("read", "read_latest"):
            found = self.do(self.make_storage(), method, key)
            same = found is not None and self.data_of(found) == self.data_of(record)
            _expect(same, f"{method}() gives what was stored last: {found}")
        _expect(self.do(self.make_storage(), "holds", key) is True, "holds() returns True")

    def _expect_over(self, key: str) -> None:
        found = self.do(self.make_storage(), "read", key)
        # Of some only the data tells when they end: the session looks at it.
        is_told = found is None or (found.expiry is None and found.modified is not None)
        _expect(is_told, f"read() gives nothing that has ended: {found}")

    def _expect_nothing(self, key: str) -> None:
        for method in ("read", "read_latest"):
            found = self.do(self.make_storage(), method, key)
            _expect(found is None, f"{method}() returns None where there is nothing: {found}")
        _expect(self.do(self.make_storage(), "holds", key) is False, "holds() returns False")

    def _at_a_time(self, method: str, calls: list[tuple[Any, ...]]) -> list[bool]:
        """Return what each call returns, with all of them made at the same time."""
        if not calls:
            raise SkipTest("Its threads are 0.")
        barrier, modules = Barrier(len(calls)), _modules_of(self.make_storage())
        do: Callable[..., Any] = self.do

        def call(arguments: tuple[Any, ...]) -> bool:
            storage = self.make_storage()
            barrier.wait()
            try:
                return bool(do(storage, method, *arguments))
            finally:
                connections.close_all()
                caches.close_all()

        with _pausing_in(modules), ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(call, calls))


class AsyncStorageContract(StorageContract):
    """The same tests of a storage's async twins."""

    def do(self, storage: Storage, method: str, *args: Any) -> Any:
        """Await the async twin of a method."""
        return async_to_sync(getattr(storage, f"a{method}"))(*args)


def _modules_of(storage: Storage) -> set[str]:
    return {kind.__module__ for kind in type(storage).__mro__ if issubclass(kind, Storage)}


@contextmanager
def _pausing_in(modules: set[str]) -> Iterator[None]:
    """Have new threads pause at each call that code of the modules makes, and after it.

    What looks and then writes lets the other threads look before it writes.
    """

    def pause(frame: FrameType, event: str, arg: object) -> None:
        callers = frame, frame.f_back
        if any(each and each.f_globals.get("__name__") in modules for each in callers):
            sleep(PAUSE)

    before = threading.getprofile()
    threading.setprofile(pause)
    try:
        yield
    finally:
        threading.setprofile(before)


def _expect(is_kept: bool, promise: str) -> None:
    """Raise AssertionError with the promise that was not kept."""
    if not is_kept:
        raise AssertionError(promise)
