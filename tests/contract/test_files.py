"""What holds for the file engine alone."""

import errno
import fcntl
import os
import socket
import stat
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from dj_sessions.exceptions import UpdateError
from tests.contract.traffic import traffic
from tests.limits import full_disk
from tests.patience import PATIENCE
from tests.stores import stored_name

pytestmark = pytest.mark.stores("file")

DAY = 24 * 3600
TWO_WEEKS = 14 * DAY


@pytest.fixture
def no_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def file_of(store, key):
    return store.path / f"sessionid{stored_name(key)}"


def make_older(path, seconds, **options):
    then = time.time() - seconds
    os.utime(path, (then, then), **options)


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
    assert set(names(store)) == {file_of(store, each).name for each in (default, short.session_key)}
    make_older(file_of(store, short.session_key), 1100)
    new().clear_expired()
    assert names(store) == [file_of(store, default).name]
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
    file = file_of(store, live).name
    abandoned = store.path / f"{file}_out_abcd1234"
    being_written = store.path / f"{file}_out_efgh5678"
    placeholder = store.path / f"sessionid{'b' * 32}"
    for path in (abandoned, being_written, placeholder):
        path.touch()
    make_older(abandoned, DAY)
    make_older(placeholder, TWO_WEEKS + 1)
    new().clear_expired()
    assert set(names(store)) == {file, being_written.name}


@contextmanager
def nobody_waits_for(pipe):
    """Whoever waits for the other end of a pipe is let go after a while, and that is an error."""
    waited = threading.Event()

    def let_go():
        waited.set()
        os.close(os.open(pipe, os.O_RDWR | os.O_NONBLOCK))

    timer = threading.Timer(PATIENCE, let_go)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    assert not waited.is_set()


def plant_socket(path):
    before = Path.cwd()
    os.chdir(path.parent)  # the whole path may be too long for a socket
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(before)


def plant_device(path):
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 7))  # /dev/full
    except PermissionError:
        pytest.skip("only root makes devices")


PLANTED = {
    "pipe": os.mkfifo,
    "directory": os.mkdir,
    "link to a session": lambda path: path.symlink_to(path.with_name(f"sessionid{'a' * 32}")),
    "link to nothing": lambda path: path.symlink_to("nowhere"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "socket": plant_socket,
    "device": plant_device,
}


@pytest.fixture(params=PLANTED)
def plant(request, store, save):
    """Put what is no regular file in the place of a session, and look at it all afterwards."""
    planted, other = [], file_of(store, "a" * 32)

    def plant(key):
        path = file_of(store, key)
        path.unlink(missing_ok=True)
        PLANTED[request.param](path)
        planted.append((path, path.lstat().st_ino))

    file_of(store, save(colour="of somebody else")).rename(other)
    make_older(other, DAY)
    before = other.read_bytes(), other.stat().st_ino
    yield plant
    assert (other.read_bytes(), other.stat().st_ino) == before
    assert [path.lstat().st_ino for path, _ in planted] == [inode for _, inode in planted]


def test_what_is_planted_in_the_directory_is_no_session(store, new, reopen, plant, caplog):
    key = "b" * 32
    plant(key)
    with nobody_waits_for(file_of(store, key)):
        session = reopen(key)
        assert dict(session.items()) == {}
        assert session.session_key is None
        assert new().exists(key) is False
        reopen(key).flush()
    lines = [record.getMessage() for record in caplog.records]
    assert stored_name(key)[:6] in lines[0]
    for line in lines:
        assert line.startswith("Session data corrupted: it is not a regular file")
        assert (str(store.path) in line, key in line) == (True, False)


def test_what_is_planted_in_place_of_a_session_ends_it(store, save, reopen, plant):
    key = save(colour="green")
    session, moving = reopen(key), reopen(key)
    for each in (session, moving):
        each.set("colour", "red")
    plant(key)
    with nobody_waits_for(file_of(store, key)):
        with pytest.raises(UpdateError):
            session.save()
        moving.cycle_key()
    assert reopen(moving.raw.session_key).get("colour") == "red"


def test_clear_expired_leaves_what_is_planted(store, new, save, reopen, plant, caplog):
    plant("b" * 32)
    make_older(file_of(store, "b" * 32), TWO_WEEKS + 1, follow_symlinks=False)
    over = save(colour="green")
    make_older(file_of(store, over), TWO_WEEKS + 1)
    with nobody_waits_for(file_of(store, "b" * 32)):
        new().clear_expired()
    assert not file_of(store, over).exists()
    assert not caplog.records


def test_corrupt_data_are_logged_with_their_directory_and_the_beginning_of_the_key(
    store, save, reopen, caplog
):
    key = save(colour="green")
    file_of(store, key).write_text("rubbish")
    assert reopen(key).get("colour") is None
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith("Session data corrupted: its signature does not match (the file of")
    assert (stored_name(key)[:6] in line, str(store.path) in line, key in line) == (
        True,
        True,
        False,
    )


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
