"""Files are removed as the directory is read: which, and what is not even opened."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from django.utils import timezone

from dj_sessions.backends.file import SessionStore
from dj_sessions.storage.files import clearing, whole_files

pytestmark = pytest.mark.stores("file")

TWO_WEEKS = 14 * 24 * 3600


def purge(store, size=None, limit=None):
    run = store.SessionStore._start_purge(timezone.now())
    return [batch.removed for batch in run.batches(size, limit)]


@pytest.fixture
def opened(monkeypatch):
    """The names of the files that are opened."""
    names = []
    original = whole_files._opened

    def opening(path, *flags):
        names.append(os.path.basename(path))
        return original(path, *flags)

    monkeypatch.setattr(whole_files, "_opened", opening)
    return names


def test_what_a_name_or_a_stat_tells_is_not_opened(store, files, opened):
    [over] = files(1, TWO_WEEKS + 1)
    [saved_since] = files(1, -60, prefix="b", expiry=-1)
    (store.path / "notes.txt").write_text("not ours")
    (store.path / f"sessionid2{'c' * 32}").write_text("not ours")
    (store.path / f"sessionid{'d' * 32}").mkdir()
    (store.path / f"sessionid{'e' * 32}").symlink_to(store.path / over)
    (store.path / f"sessionid{'f' * 32}_out_abcd").touch()
    assert sum(purge(store)) == 1
    assert opened == [over]
    assert (store.path / saved_since).exists()


def test_a_session_may_end_before_or_after_what_its_age_says(store, files):
    [short] = files(1, 200, prefix="a", expiry=100)
    [long] = files(1, TWO_WEEKS * 2, prefix="b", expiry=TWO_WEEKS * 3)
    [fixed] = files(1, TWO_WEEKS * 2, prefix="c", expiry=timezone.now() + timedelta(days=1))
    assert sum(purge(store)) == 1
    assert sorted(path.name for path in store.path.iterdir()) == sorted([long, fixed])
    assert short not in os.listdir(store.path)


def test_the_directory_is_never_listed(store, files, monkeypatch):
    files(10, TWO_WEEKS + 1)
    taken = []
    scandir = os.scandir

    class Scan:
        def __init__(self, path):
            self.entries = scandir(path)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.entries.close()

        def __iter__(self):
            for entry in self.entries:
                taken.append(entry.name)
                yield entry

    monkeypatch.setattr(os, "scandir", Scan)
    batches = store.SessionStore._start_purge(timezone.now()).batches(3)
    assert next(batches).removed == 3
    assert len(taken) == 3
    assert sum(batch.removed for batch in batches) == 7


def test_a_batch_that_finds_little_ends_all_the_same(store, files, monkeypatch):
    monkeypatch.setattr(clearing, "LOOKED_AT", 4)
    files(10, 0)
    assert purge(store) == [0, 0, 0]


def test_a_limit_ends_it(store, files):
    files(10, TWO_WEEKS + 1)
    assert purge(store, 4, limit=6) == [4, 2]
    assert len(os.listdir(store.path)) == 4


def test_a_session_that_is_saved_meanwhile_stays(store, files, monkeypatch):
    """It is judged again under the lock that savers take."""
    [name] = files(1, TWO_WEEKS + 1)
    key = name.removeprefix("sessionid")
    locked = whole_files.locked

    def saving(path):
        os.utime(path)
        return locked(path)

    monkeypatch.setattr(whole_files, "locked", saving)
    assert sum(purge(store)) == 0
    assert SessionStore(key).get("colour") == "green"


def test_what_is_planted_meanwhile_is_neither_waited_for_nor_removed(store, files, monkeypatch):
    [name] = files(1, TWO_WEEKS + 1)
    path = store.path / name
    locked = whole_files.locked

    def planting(where):
        path.unlink()
        os.mkfifo(path)
        return locked(where)

    monkeypatch.setattr(whole_files, "locked", planting)
    assert sum(purge(store)) == 0
    assert path.is_fifo()


def test_files_that_others_remove_meanwhile_are_no_error(store, files):
    names = files(10, TWO_WEEKS + 1)
    batches = store.SessionStore._start_purge(timezone.now()).batches(2)
    removed = next(batches).removed
    for name in names[5:]:
        (store.path / name).unlink(missing_ok=True)
    removed += sum(batch.removed for batch in batches)
    assert removed <= 7
    assert os.listdir(store.path) == []


def test_a_directory_that_goes_is_an_error(store, files, monkeypatch):
    files(3, TWO_WEEKS + 1)
    batches = store.SessionStore._start_purge(timezone.now()).batches(1)
    next(batches)
    moved = store.path.with_name("moved")
    store.path.rename(moved)
    try:
        with pytest.raises(FileNotFoundError):
            list(batches)
    finally:
        moved.rename(store.path)
