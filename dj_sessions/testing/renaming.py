"""What a storage promises that declares ``atomic_rename``; of another one it is not tested."""

from __future__ import annotations

from typing import Final
from unittest import SkipTest

from dj_sessions import _keys
from dj_sessions.storage import Record, Storage
from dj_sessions.testing.of_a_storage import HOUR, ROUNDS, OfAStorage, expect

#: Why the tests are skipped.
UNDECLARED: Final = "It does not say, by atomic_rename, that it renames in one step."


class RenamesSessions(OfAStorage):
    """Tests of ``rename()`` and ``read_renamed()``."""

    def test_rename_compares(self) -> None:
        storage = self._renaming_storage()
        key, first = self._inserted({"n": 1})
        second = self.make_record(key, {"n": 2}, HOUR)
        self.do(storage, "replace", key, second, first)
        new, third = self._renamed({"n": 3})
        renamed = self.do(storage, "rename", key, new, third, first)
        expect(renamed is None, "rename() returns None where something else is expected")
        self._expect_kept(key, second)
        self._expect_nothing(new)
        renamed = self.do(storage, "rename", key, new, third, second)
        expect(renamed == new, f"rename() of what is expected returns the new key: {renamed}")
        self._expect_kept(new, third)
        self._expect_nothing(key)

    def test_rename_may_expect_anything_that_lives(self) -> None:
        storage = self._renaming_storage()
        key, _ = self._inserted({"n": 1})
        new, record = self._renamed({"n": 2})
        renamed = self.do(storage, "rename", key, new, record, None)
        expect(renamed == new, f"rename() that expects anything returns the new key: {renamed}")
        self._expect_kept(new, record)
        self._expect_nothing(key)

    def test_what_was_read_is_what_to_rename(self) -> None:
        storage = self._renaming_storage()
        for method in ("read", "read_latest"):
            key, _ = self._inserted({"n": 1})
            new, record = self._renamed({"n": 2})
            found = self.do(storage, method, key)
            renamed = self.do(storage, "rename", key, new, record, found)
            expect(renamed == new, f"rename() compares with what {method}() gave")

    def test_rename_takes_no_key_that_is_taken(self) -> None:
        storage = self._renaming_storage()
        (key, first), (taken, other) = self._inserted({"n": 1}), self._inserted({"n": 2})
        for expected in (first, None):
            record = self.make_record(taken, {"n": 3}, HOUR)
            renamed = self.do(storage, "rename", key, taken, record, expected)
            expect(renamed is None, "rename() returns None where the new key is taken")
            self._expect_kept(key, first)
            self._expect_kept(taken, other)

    def test_rename_brings_nothing_back(self) -> None:
        storage = self._renaming_storage()
        (gone, first), (moved, second) = self._inserted({"n": 1}), self._inserted({"n": 2})
        self.do(storage, "remove", gone)
        self.do(storage, "move", moved, second, "forward")
        over, unknown = _keys.new_key(), _keys.new_key()
        self.do(storage, "insert", over, self.make_record(over, {"n": 3}, -HOUR))
        for key, expected in ((gone, first), (gone, None), (moved, second), (moved, None)):
            self._expect_not_renamed(storage, key, expected)
        for key in (over, unknown):
            self._expect_not_renamed(storage, key, None)

    def test_what_was_renamed_is_found_under_either_key(self) -> None:
        storage = self._renaming_storage()
        key, record = self._inserted({"n": 1})
        new, renamed = self._renamed({"n": 2})
        self._expect_under(key, new, key, record)
        self.do(storage, "rename", key, new, renamed, record)
        self._expect_under(key, new, new, renamed)
        self.do(storage, "remove", new)
        for latest in (False, True):
            found = self.do(self.make_storage(), "read_renamed", key, new, latest)
            expect(found is None, f"read_renamed() returns None where there is nothing: {found}")

    def test_of_several_renames_at_a_time_one_counts(self) -> None:
        self._renaming_storage()
        for _ in range(ROUNDS):
            key, first = self._inserted({})
            new = _keys.new_key()
            records = [self.make_record(new, {"n": n}, HOUR) for n in range(self.threads)]
            renamed = self._at_a_time("rename", [(key, new, each, first) for each in records])
            expect(sum(renamed) == 1, f"one rename() returns the new key: {renamed}")
            self._expect_kept(new, records[renamed.index(True)])
            self._expect_nothing(key)

    # What the tests have in common

    def _renaming_storage(self) -> Storage:
        storage = self.make_storage()
        if not storage.atomic_rename:
            raise SkipTest(UNDECLARED)
        return storage

    def _renamed(self, data: dict[str, int]) -> tuple[str, Record]:
        """Return a new key, and a record to store under it."""
        key = _keys.new_key()
        return key, self.make_record(key, data, HOUR)

    def _expect_not_renamed(self, storage: Storage, key: str, expected: Record | None) -> None:
        new, record = self._renamed({"n": 4})
        renamed = self.do(storage, "rename", key, new, record, expected)
        expect(renamed is None, "rename() returns None where there is no session that lives")
        self._expect_nothing(new)

    def _expect_under(self, key: str, new: str, there: str, record: Record) -> None:
        for latest in (False, True):
            found = self.do(self.make_storage(), "read_renamed", key, new, latest)
            same = (
                found is not None
                and found[0] == there
                and self.data_of(found[1]) == self.data_of(record)
            )
            expect(same, f"read_renamed() gives the key and the record that are stored: {found}")
