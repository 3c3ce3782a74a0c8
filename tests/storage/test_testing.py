"""`dj_sessions.testing`: each test of the contract finds a storage that breaks its promise."""

import unittest
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Lock

import pytest
from django.utils import timezone

from dj_sessions.storage import Record, Storage
from dj_sessions.testing import AsyncStorageContract, StorageContract, threads
from tests.patience import PATIENCE

TESTS = [name for name in dir(StorageContract) if name.startswith("test_")]
RENAMING = [name for name in TESTS if "rename" in name]


class Shelf(Storage):
    """A storage that keeps every promise."""

    atomic_replace = atomic_rename = True

    def __init__(self, kept, lock, everybody):
        self.kept = kept
        self.lock = lock
        #: Where the threads of a test meet.
        self.everybody = everybody

    def read(self, key):
        record = self.kept.get(key)
        return record if record and record.expiry > timezone.now() else None

    def insert(self, key, record):
        with self.lock:
            return self.kept.setdefault(key, record) is record

    def replace(self, key, record, expected):
        with self.lock:
            return self.has(key, expected) and self.put(key, record)

    def rename(self, key, new, record, expected):
        with self.lock:
            if new in self.kept or not self.has(key, expected):
                return None
            return self.take(key) and self.put(new, record) and new

    def remove(self, key, expected=None):
        with self.lock:
            return self.has(key, expected) and self.kept.pop(key) is not None

    def purge(self, now, batch):
        over = [key for key, record in self.kept.items() if record.expiry < now][:batch]
        return sum(self.kept.pop(key, None) is not None for key in over)

    def has(self, key, expected):
        found = self.read(key)
        return found is not None and (expected is None or found.payload == expected.payload)

    def put(self, key, record):
        self.kept[key] = record
        return True

    def take(self, key):
        return self.kept.pop(key, None) is not None


class OfAShelf(StorageContract):
    kind = Shelf

    def __init__(self, *args):
        super().__init__(*args)
        self.kept, self.lock, self.everybody = {}, Lock(), Barrier(self.threads or 1)

    def make_storage(self):
        return self.kind(self.kept, self.lock, self.everybody)


class TestAShelf(OfAShelf, unittest.TestCase):
    """As unittest runs it."""


class TestAForwardingShelf(OfAShelf, unittest.TestCase):
    """One that keeps forwards."""

    @property
    def kind(self):
        return Forwarding


class TestAShelfInAsync(OfAShelf, AsyncStorageContract, unittest.TestCase):
    """The twins of a storage that brings none."""


def broken(**methods):
    return type("Broken", (Shelf,), methods)


def slowly(self, key, record, expected):
    is_there = self.has(key, expected)
    self.everybody.wait(PATIENCE)  # all look before one writes
    return is_there and self.put(key, record)


def insert_slowly(self, key, record):
    is_free = key not in self.kept
    self.everybody.wait(PATIENCE)  # all look before one writes
    return is_free and self.put(key, record)


def at_once(self, key, record, expected):
    return self.has(key, expected) and self.put(key, record)


def insert_at_once(self, key, record):
    return self.read(key) is None and self.put(key, record)


def rename_slowly(self, key, new, record, expected):
    is_there = self.has(key, expected)
    self.everybody.wait(PATIENCE)  # all look before one writes
    self.take(key)
    return new if is_there and self.put(new, record) else None


def rename_at_once(self, key, new, record, expected):
    if not self.has(key, expected):
        return None
    self.take(key)
    self.put(new, record)
    return new


def lengthened(record):
    return replace(record, payload=f"{record.payload} ")


def lives(record):
    return replace(record, expiry=timezone.now() + timedelta(days=1))


class Forwarding(Shelf):
    """A shelf that leaves a forward in the place of what has moved."""

    def move(self, key, expected, forward):
        until = timezone.now() + timedelta(minutes=1)
        return self.has(key, expected) and self.put(key, Record(None, until, forward=forward))

    def has(self, key, expected):
        return super().has(key, expected) and self.kept[key].forward is None

    def holds(self, key):
        return self.has(key, None)


def take_away(self, key, expected=None):
    """Remove a forward as well."""
    return self.kept.pop(key, None) is not None


# Which promise is broken, and how
BROKEN = {
    "test_what_it_says_of_itself_passes_the_check": [
        broken(purge=Storage.purge),
        broken(remove=Storage.remove),
    ],
    "test_an_unknown_key_has_nothing": [
        broken(read=lambda self, key: self.kept.get(key) or Record("{}")),
        broken(replace=lambda self, key, record, expected: self.put(key, record)),
        broken(remove=lambda self, key, expected=None: True),
        broken(holds=lambda self, key: True),
        broken(remove=lambda self, key, expected=None: None),
    ],
    "test_what_was_inserted_is_read": [
        broken(insert=lambda self, key, record: True),
        broken(insert=lambda self, key, record: self.put(key, record) and None),
        broken(read_latest=lambda self, key: None),
        broken(holds=lambda self, key: False),
        broken(insert=lambda self, key, record: self.put(key, replace(record, payload="{}"))),
    ],
    "test_a_key_is_taken_once": [
        broken(insert=lambda self, key, record: self.put(key, record)),
        broken(insert=lambda self, key, record: bool(self.kept.setdefault(key, record))),
    ],
    "test_keys_have_nothing_to_do_with_each_other": [
        broken(remove=lambda self, key, expected=None: self.kept.clear() is None),
    ],
    "test_replace_compares": [
        broken(replace=lambda self, key, record, expected: self.put(key, record)),
        broken(replace=lambda self, key, record, expected: False),
        broken(replace=lambda self, key, record, expected: self.has(key, expected)),
        broken(
            replace=lambda self, key, record, expected: (
                expected is not None and self.has(key, expected) and self.put(key, record)
            )
        ),
    ],
    "test_what_was_read_is_what_to_expect": [
        broken(
            read_latest=lambda self, key: replace(
                self.kept[key], payload=self.kept[key].payload + " "
            )
        ),
    ],
    "test_remove_compares": [
        broken(remove=lambda self, key, expected=None: self.kept.pop(key, None) is not None),
        broken(remove=lambda self, key, expected=None: expected is None),
        broken(remove=lambda self, key, expected=None: self.has(key, expected)),
    ],
    "test_what_was_removed_stays_removed": [
        broken(replace=lambda self, key, record, expected: self.put(key, record)),
        broken(remove=lambda self, key, expected=None: self.kept.pop(key, True) is not None),
    ],
    "test_what_has_moved_is_no_session_under_its_old_key": [
        broken(move=lambda self, key, expected, forward: self.has(key, expected)),
        broken(move=lambda self, key, expected, forward: self.remove(key)),
        broken(move=lambda self, key, expected, forward: False),
        broken(
            move=lambda self, key, expected, forward: (
                self.has(key, expected)
                and self.put(key, replace(lives(self.kept[key]), forward=forward))
            )
        ),
        type("Broken", (Forwarding,), {"remove": take_away}),
    ],
    "test_what_has_ended_is_not_read_and_not_brought_back": [
        broken(read=lambda self, key: self.kept.get(key)),
        broken(
            replace=lambda self, key, record, expected: key in self.kept and self.put(key, record)
        ),
    ],
    "test_what_was_replaced_ends_when_the_new_record_says": [
        broken(
            replace=lambda self, key, record, expected: (
                self.has(key, expected)
                and self.put(key, replace(self.kept[key], payload=record.payload))
            )
        ),
        broken(
            replace=lambda self, key, record, expected: (
                self.has(key, expected) and self.put(key, lives(record))
            )
        ),
    ],
    "test_purge_removes_what_has_ended_and_nothing_else": [
        broken(purge=lambda self, now, batch: 0),
        broken(purge=lambda self, now, batch: Shelf.purge(self, now, 9999)),
        broken(purge=lambda self, now, batch: len(self.kept) and (self.kept.clear() or 1)),
        broken(purge=lambda self, now, batch: 1),
        broken(forgets_expired=True),
    ],
    "test_rename_compares": [
        broken(rename=lambda self, key, new, record, expected: None),
        broken(rename=lambda self, *call: Shelf.rename(self, *call[:3], None)),
        broken(rename=lambda self, *call: Shelf.rename(self, *call) is not None),
        broken(
            rename=lambda self, key, new, record, expected: (
                self.replace(key, record, expected) and key
            )
        ),
        broken(
            rename=lambda self, key, new, record, expected: (
                self.has(key, expected) and self.put(new, record) and new
            )
        ),
        broken(
            rename=lambda self, key, new, record, expected: Shelf.rename(
                self, key, new, self.kept.get(key), expected
            )
        ),
    ],
    "test_rename_may_expect_anything_that_lives": [
        broken(rename=lambda self, *call: Shelf.rename(self, *call) if call[3] else None),
    ],
    "test_what_was_read_is_what_to_rename": [
        broken(read_latest=lambda self, key: lengthened(self.kept[key])),
    ],
    "test_rename_takes_no_key_that_is_taken": [
        broken(rename=rename_at_once),
        broken(rename=lambda self, *call: Shelf.rename(self, *call) or call[1]),
    ],
    "test_rename_brings_nothing_back": [
        broken(rename=lambda self, key, new, record, expected: self.put(new, record) and new),
        broken(
            rename=lambda self, key, new, record, expected: (
                key in self.kept and self.put(new, record) and new
            )
        ),
        type("Broken", (Forwarding,), {"has": Shelf.has}),
    ],
    "test_what_was_renamed_is_found_under_either_key": [
        broken(read_renamed=lambda self, key, new, latest=False: None),
        broken(read_renamed=lambda self, key, new, latest=False: (new, self.read(new))),
        broken(
            read_renamed=lambda self, key, new, latest=False: (
                None if latest else Storage.read_renamed(self, key, new)
            )
        ),
    ],
    "test_of_several_renames_at_a_time_one_counts": [
        broken(rename=rename_slowly),
        broken(rename=rename_at_once),
    ],
    "test_of_several_inserts_at_a_time_one_counts": [
        broken(insert=insert_slowly),
        broken(insert=insert_at_once),
    ],
    "test_of_several_replaces_at_a_time_one_counts": [
        broken(replace=slowly),
        broken(replace=at_once),
    ],
}


def test_each_promise_is_broken_here():
    assert sorted(BROKEN) == TESTS


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name, kinds in BROKEN.items() for kind in kinds]
)
@pytest.mark.parametrize("contract", [StorageContract, AsyncStorageContract])
def test_a_promise_that_is_broken_is_found(name, kind, contract, monkeypatch):
    monkeypatch.setattr(threads, "PAUSE", 0.02)  # in which all threads of a busy machine look
    tested = type("Tested", (OfAShelf, contract), {"kind": kind})()
    with pytest.raises(AssertionError) as caught:
        getattr(tested, name)()
    assert str(caught.value)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("test_of_several_replaces_at_a_time_one_counts", {"kind": broken(atomic_replace=False)}),
        ("test_of_several_replaces_at_a_time_one_counts", {"threads": 0}),
        ("test_of_several_inserts_at_a_time_one_counts", {"threads": 0}),
        ("test_of_several_renames_at_a_time_one_counts", {"threads": 0}),
        *((name, {"kind": broken(atomic_rename=False)}) for name in RENAMING),
    ],
)
def test_what_is_not_promised_is_skipped(name, changed):
    tested = type("Tested", (OfAShelf,), changed)()
    with pytest.raises(unittest.SkipTest, match=r"\w"):
        getattr(tested, name)()


def test_whoever_makes_no_storage_is_told_so():
    with pytest.raises(NotImplementedError, match=r"make_storage\(\)"):
        StorageContract().test_a_key_is_taken_once()
