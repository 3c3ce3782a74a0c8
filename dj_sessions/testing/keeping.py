"""What each storage promises: to keep sessions, to compare, and to forget what has ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from unittest import SkipTest

from django.utils import timezone

from dj_sessions import _keys
from dj_sessions.testing.of_a_storage import HOUR, ROUNDS, OfAStorage, expect

#: Batches after which no expired session may be left.
PATIENCE: Final = 1000


class KeepsSessions(OfAStorage):
    """Tests of the five methods, of ``move()``, and of what follows from them."""

    def test_what_it_says_of_itself_passes_the_check(self) -> None:
        faults = self.make_storage().check()
        expect(not faults, f"check() finds nothing wrong: {faults}")

    def test_an_unknown_key_has_nothing(self) -> None:
        storage, key = self.make_storage(), _keys.new_key()
        record = self.make_record(key, {}, HOUR)
        self._expect_nothing(key)
        replaced = self.do(storage, "replace", key, record, None)
        expect(replaced is False, "replace() of an unknown key returns False")
        removed = self.do(storage, "remove", key)
        expect(removed is False, "remove() of an unknown key returns False")
        self._expect_nothing(key)

    def test_what_was_inserted_is_read(self) -> None:
        key, record = self._inserted({"text": "grün " * 9999, "number": 1})
        self._expect_kept(key, record)

    def test_a_key_is_taken_once(self) -> None:
        key, record = self._inserted({"n": 1})
        other = self.make_record(key, {"n": 2}, HOUR)
        inserted = self.do(self.make_storage(), "insert", key, other)
        expect(inserted is False, "insert() under a key that is taken returns False")
        self._expect_kept(key, record)

    def test_keys_have_nothing_to_do_with_each_other(self) -> None:
        (key, record), (gone, _) = self._inserted({"n": 1}), self._inserted({"n": 2})
        expect(self.do(self.make_storage(), "remove", gone) is True, "remove() returns True")
        self._expect_nothing(gone)
        self._expect_kept(key, record)

    def test_replace_compares(self) -> None:
        key, first = self._inserted({"n": 1})
        second, third = (self.make_record(key, {"n": n}, HOUR) for n in (2, 3))
        storage = self.make_storage()
        replaced = self.do(storage, "replace", key, second, first)
        expect(replaced is True, "replace() of what is expected returns True")
        self._expect_kept(key, second)
        replaced = self.do(storage, "replace", key, third, first)
        expect(replaced is False, "replace() returns False where something else is expected")
        self._expect_kept(key, second)
        replaced = self.do(storage, "replace", key, third, None)
        expect(replaced is True, "replace() that expects anything returns True")
        self._expect_kept(key, third)

    def test_what_was_read_is_what_to_expect(self) -> None:
        key, _ = self._inserted({"n": 1})
        storage, second = self.make_storage(), self.make_record(key, {"n": 2}, HOUR)
        for method in ("read", "read_latest"):
            found = self.do(storage, method, key)
            replaced = self.do(storage, "replace", key, second, found)
            expect(replaced is True, f"replace() compares with what {method}() gave")

    def test_remove_compares(self) -> None:
        key, first = self._inserted({"n": 1})
        storage, second = self.make_storage(), self.make_record(key, {"n": 2}, HOUR)
        self.do(storage, "replace", key, second, first)
        removed = self.do(storage, "remove", key, first)
        expect(removed is False, "remove() returns False where something else is expected")
        self._expect_kept(key, second)
        removed = self.do(storage, "remove", key, second)
        expect(removed is True, "remove() of what is expected returns True")
        self._expect_nothing(key)

    def test_what_was_removed_stays_removed(self) -> None:
        key, record = self._inserted({"n": 1})
        storage = self.make_storage()
        expect(self.do(storage, "remove", key) is True, "remove() returns True")
        expect(self.do(storage, "remove", key) is False, "remove() returns False the next time")
        for expected in (record, None):
            replaced = self.do(storage, "replace", key, record, expected)
            expect(replaced is False, "replace() brings nothing back that was removed")
        self._expect_nothing(key)

    def test_what_has_moved_is_no_session_under_its_old_key(self) -> None:
        key, first = self._inserted({"n": 1})
        storage, second = self.make_storage(), self.make_record(key, {"n": 2}, HOUR)
        self.do(storage, "replace", key, second, first)
        moved = self.do(storage, "move", key, first, "forward")
        expect(moved is False, "move() returns False where something else is expected")
        self._expect_kept(key, second)
        moved = self.do(storage, "move", key, second, "forward")
        expect(moved is True, "move() of what is expected returns True")
        found = self.do(storage, "read", key)
        is_forward = found is None or found.forward == "forward"
        expect(is_forward, f"read() gives a forward, or nothing, after move(): {found}")
        expect(not self.do(storage, "holds", key), "holds() finds no session after move()")
        replaced = self.do(storage, "replace", key, first, None)
        expect(replaced is False, "replace() finds no session after move()")
        for expected in (second, None):
            removed = self.do(storage, "remove", key, expected)
            expect(removed is False, "remove() finds no session after move()")

    def test_what_has_ended_is_not_read_and_not_brought_back(self) -> None:
        key = _keys.new_key()
        storage, record = self.make_storage(), self.make_record(key, {"n": 1}, -HOUR)
        self.do(storage, "insert", key, record)
        self._expect_over(key)
        replaced = self.do(storage, "replace", key, record, None)
        expect(replaced is False, "replace() finds nothing that has ended")

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
        expect(removed[0] <= 2, f"purge() removes one batch at a time, not {removed[0]}")
        while removed[-1] and len(removed) < PATIENCE:
            removed.append(storage.purge(now, 2))
        expect(removed[-1] == 0, f"purge() returns 0 when nothing is left: {removed}")
        if storage.forgets_expired:
            expect(sum(removed) == 0, "purge() has nothing to do where a store forgets")
        else:
            expect(sum(removed) >= len(over), f"purge() removes what has ended: {removed}")
        self._expect_kept(live, record)

    def test_of_several_inserts_at_a_time_one_counts(self) -> None:
        for _ in range(ROUNDS):
            key = _keys.new_key()
            records = [self.make_record(key, {"n": n}, HOUR) for n in range(self.threads)]
            inserted = self._at_a_time("insert", [(key, record) for record in records])
            expect(sum(inserted) == 1, f"one insert() returns True: {inserted}")
            self._expect_kept(key, records[inserted.index(True)])

    def test_of_several_replaces_at_a_time_one_counts(self) -> None:
        if not self.make_storage().atomic_replace:
            raise SkipTest("It does not say that it compares and writes in one step.")
        for _ in range(ROUNDS):
            key, first = self._inserted({})
            records = [self.make_record(key, {"n": n}, HOUR) for n in range(self.threads)]
            replaced = self._at_a_time("replace", [(key, record, first) for record in records])
            expect(sum(replaced) == 1, f"one replace() returns True: {replaced}")
            self._expect_kept(key, records[replaced.index(True)])
