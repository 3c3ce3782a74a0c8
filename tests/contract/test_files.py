"""What holds for the file engine alone."""

import errno
import fcntl
import os
import time
from pathlib import Path
from unittest import mock

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from tests.contract.traffic import traffic
from tests.limits import full_disk

pytestmark = pytest.mark.stores("file")

DAY = 24 * 3600
TWO_WEEKS = 14 * DAY


@pytest.fixture
def no_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def file_of(store, key):
    return store.path / f"sessionid{key}"


def make_older(path, seconds):
    then = time.time() - seconds
    os.utime(path, (then, then))


def names(store):
    return sorted(path.name for path in store.path.iterdir())


def test_a_session_is_one_file_for_its_owner_only(store, no_umask, save, reopen):
    key = save(colour="green")
    path = file_of(store, key)
    assert names(store) == [path.name]
    assert path.stat().st_mode & 0o777 == 0o600
    session = reopen(key)
    session.set("size", 3)
    session.save()
    assert names(store) == [path.name]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_new_session_that_does_not_fit_on_the_disk_is_an_error(store, new):
    session = new()
    session.set("colour", "green")
    with full_disk(room=20), pytest.raises(OSError) as caught:  # noqa: PT011 # its number follows
        session.save()
    assert caught.value.errno == errno.EFBIG
    assert names(store) == []


def test_a_changed_session_that_does_not_fit_on_the_disk_is_an_error(store, save, reopen):
    key = save(colour="green")
    session = reopen(key)
    session.set("colour", "red")
    with full_disk(room=20), pytest.raises(OSError) as caught:  # noqa: PT011 # its number follows
        session.save()
    assert caught.value.errno == errno.EFBIG
    assert dict(reopen(key).items()) == {"colour": "green"}
    assert names(store) == [file_of(store, key).name]
    session.save()
    assert dict(reopen(key).items()) == {"colour": "red"}


def test_a_save_replaces_the_file_and_never_writes_into_it(store, save, reopen):
    key = save(colour="green")
    session = reopen(key)
    session.set("colour", "red")
    with file_of(store, key).open("rb") as reader:
        before = os.fstat(reader.fileno())
        content = file_of(store, key).read_bytes()
        session.save()
        assert reader.read() == content
        assert os.fstat(reader.fileno()).st_mtime_ns == before.st_mtime_ns
    assert file_of(store, key).stat().st_ino != before.st_ino
    assert file_of(store, key).read_bytes() != content


@pytest.fixture
def locks_of_nfs():
    """flock(2): over NFS, who wants an exclusive lock must have opened the file for writing."""
    original = fcntl.flock

    def flock(file, operation):
        access = fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE
        if operation & fcntl.LOCK_EX and access == os.O_RDONLY:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return original(file, operation)

    with mock.patch.object(fcntl, "flock", flock):
        yield


def test_sessions_live_and_end_over_nfs(locks_of_nfs, save, reopen):
    session = reopen(save(colour="green"))
    session.set("colour", "red")
    session.save()
    session.cycle_key()
    key = session.raw.session_key
    assert reopen(key).get("colour") == "red"
    session.flush()
    assert reopen(key).get("colour") is None


def test_seconds_count_from_the_file_s_last_modification(store, save, reopen):
    session = reopen(None)
    session.set("colour", "green")
    session.set_expiry(1000)
    session.save()
    make_older(file_of(store, session.session_key), 900)
    assert reopen(session.session_key).get("colour") == "green"
    make_older(file_of(store, session.session_key), 1100)
    assert reopen(session.session_key).get("colour") is None


def test_a_save_starts_the_seconds_anew(store, save, reopen):
    session = reopen(None)
    session.set_expiry(1000)
    session.save()
    make_older(file_of(store, session.session_key), 900)
    session = reopen(session.session_key)
    session.set("colour", "green")
    session.save()
    assert file_of(store, session.session_key).stat().st_mtime > time.time() - 100


def test_loading_a_session_that_is_over_changes_no_file(store, save, reopen):
    key = save(colour="green")
    make_older(file_of(store, key), TWO_WEEKS + 1)
    session = reopen(key)
    with traffic(store) as said:
        assert session.get("colour") is None
    assert said.writes == []
    assert names(store) == [file_of(store, key).name]


def test_clear_expired_removes_files_by_their_own_expiry(store, new, save, reopen):
    default, short, fixed = save(colour="green"), new(), new()
    short.set_expiry(1000)
    short.save()
    fixed.set_expiry(-1)
    fixed.save()
    for key in (default, short.session_key):
        make_older(file_of(store, key), 900)
    new().clear_expired()
    assert set(names(store)) == {f"sessionid{default}", f"sessionid{short.session_key}"}
    make_older(file_of(store, short.session_key), 1100)
    new().clear_expired()
    assert names(store) == [f"sessionid{default}"]
    make_older(file_of(store, default), TWO_WEEKS + 1)
    new().clear_expired()
    assert names(store) == []


def test_clear_expired_leaves_the_files_of_others(store, new):
    key = "a" * 32
    foreign = {
        f"sessionid2{key}",
        f"sessionid_{key}",
        f"sessionida{key}",
        f"sessionid{'A' * 32}",
        f"sessionid{key}.bak",
        f"sessionid{'a' * 8}",
        f"other{key}",
        "sessionid",
        "notes.txt",
    }
    for name in foreign:
        (store.path / name).write_text("not ours")
        make_older(store.path / name, TWO_WEEKS * 10)
    (store.path / f"sessionid{key}").write_text("")
    make_older(store.path / f"sessionid{key}", TWO_WEEKS * 10)
    new().clear_expired()
    assert set(names(store)) == foreign


def test_clear_expired_does_not_stumble_over_what_it_cannot_read(store, new, save):
    """Whatever stands in the way, such as another user's file in a directory for everybody."""
    (store.path / f"sessionid{'a' * 32}").mkdir()
    over = save(colour="green")
    make_older(file_of(store, over), TWO_WEEKS + 1)
    new().clear_expired()
    assert names(store) == [f"sessionid{'a' * 32}"]


def test_clear_expired_removes_files_that_were_never_finished(store, new, save):
    live = save(colour="green")
    abandoned = store.path / f"sessionid{live}_out_abcd1234"
    being_written = store.path / f"sessionid{live}_out_efgh5678"
    placeholder = store.path / f"sessionid{'b' * 32}"
    for path in (abandoned, being_written, placeholder):
        path.touch()
    make_older(abandoned, DAY)
    make_older(placeholder, TWO_WEEKS + 1)
    new().clear_expired()
    assert set(names(store)) == {f"sessionid{live}", being_written.name}


def test_the_directory_may_be_given_as_path_or_text(store, save, reopen):
    for path in (Path(store.path), str(store.path), f"{store.path}{os.sep}"):
        with override_settings(SESSION_FILE_PATH=path):
            key = save(colour="green")
            assert file_of(store, key).exists()
            assert reopen(key).get("colour") == "green"
            reopen(None).delete(key)


def test_a_directory_that_is_not_there_is_an_error_that_names_it(store, new, tmp_path_factory):
    missing = tmp_path_factory.mktemp("somewhere") / "missing"
    with (
        override_settings(SESSION_FILE_PATH=missing),
        pytest.raises(ImproperlyConfigured, match=r"missing.*SESSION_FILE_PATH"),
    ):
        new()


def test_a_directory_that_went_away_is_an_error_and_not_a_logout(store, save, reopen):
    key = save(colour="green")
    session = reopen(key)
    away = store.path.with_name("away")
    store.path.rename(away)
    try:
        with pytest.raises(FileNotFoundError):
            session.get("colour")
        assert session.session_key == key
    finally:
        away.rename(store.path)
