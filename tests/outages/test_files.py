"""The file engine on disks that are full, under kills, without hard links, and with fsync."""

from __future__ import annotations

import errno
import io
import os
import signal
import stat
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.conf import settings
from django.test import override_settings

from dj_sessions import _keys
from dj_sessions.exceptions import CreateError
from dj_sessions.storage.files.storage import ORPHAN_AGE
from tests.outages.disks import full, small_disk
from tests.outages.faults import whole_names

pytestmark = pytest.mark.stores("file")

#: How often the writer is killed: each time a little later after its first save.
KILLS = 12

PREAMBLE = """
import os, sys, django
from django.conf import settings
settings.configure(
    SECRET_KEY=os.environ["KEY"], SESSION_ENGINE="dj_sessions.backends.file",
    SESSION_FILE_PATH=sys.argv[1], INSTALLED_APPS=["dj_sessions"],
)
django.setup()
from dj_sessions.backends.file import SessionStore
"""

#: Saves one number after the other, and says each when it is saved.
WRITER = f"""{PREAMBLE}
number = SessionStore(sys.argv[2])["number"]
while True:
    number += 1
    session = SessionStore(sys.argv[2])
    session["number"], session["bulk"] = number, [number] * 2000
    session.save()
    os.write(1, b"%d\\n" % number)
"""

#: Creates a session or saves one, and is killed where it calls a function of os.
VICTIM = f"""{PREAMBLE}
session = SessionStore(sys.argv[2] or None)
session["number"], session["bulk"] = 1, [1] * 2000
setattr(os, sys.argv[3], lambda *args, **kwargs: os.kill(os.getpid(), 9))
session.save()
"""


def run(script: str, store: Any, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", script, str(store.path), *arguments]
    environment = {**os.environ, "KEY": settings.SECRET_KEY}
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)


@pytest.fixture
def key(store):
    session = store.SessionStore()
    session.update({"number": 0, "bulk": [0] * 2000})
    session.save()
    return session.session_key


def is_whole(session) -> bool:
    return session["bulk"] == [session["number"]] * 2000


def test_a_writer_that_is_killed_leaves_the_session_whole(store, key):
    saved = 0
    for kill in range(KILLS):
        writer = run(WRITER, store, key)
        assert writer.stdout is not None
        said = writer.stdout.readline()  # it is at work
        time.sleep(kill / 3000)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        said += writer.stdout.read()
        writer.stdout.close()
        last = max(int(line) for line in said.split(b"\n")[:-1])
        session = store.SessionStore(key)
        assert saved < last <= session["number"] <= last + 1
        assert is_whole(session)
        saved = session["number"]
    assert whole_names(store.path) == [f"sessionid{key}"]
    for path in store.path.glob("*_out_*"):
        then = time.time() - ORPHAN_AGE - 1
        os.utime(path, (then, then))
    store.SessionStore.clear_expired()
    assert [path.name for path in store.path.iterdir()] == [f"sessionid{key}"]


@pytest.mark.parametrize(
    ("deed", "name"),
    [
        *(("create", name) for name in ("open", "write", "close", "link", "unlink")),
        *(("save", name) for name in ("open", "write", "close", "replace")),
    ],
)
def test_a_writer_that_is_killed_at_a_step_leaves_the_session_whole(store, key, deed, name):
    with run(VICTIM, store, key if deed == "save" else "", name) as victim:
        assert victim.wait() == -signal.SIGKILL
    for found in whole_names(store.path):
        assert is_whole(store.SessionStore(found.removeprefix("sessionid")))
    session = store.SessionStore(key)
    session["number"], session["bulk"] = 2, [2] * 2000
    session.save()  # no lock is left behind
    assert store.SessionStore(key)["number"] == 2


@pytest.fixture
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with small_disk(tmp_path_factory.mktemp("small")) as place:
        sessions = place / "sessions"
        sessions.mkdir()
        with override_settings(SESSION_FILE_PATH=sessions):
            yield place


def test_sessions_that_fill_the_disk_are_whole_or_an_error(store, mode, disk):
    """Until nothing fits any more, and again when there is room."""
    kept, error = [], None
    while error is None and len(kept) < 200:
        session = mode.wrap(store.SessionStore())
        session.update({"number": len(kept), "bulk": [os.urandom(3000).hex()]})
        if len(kept) == 199 and not os.path.ismount(disk):
            with full(disk), pytest.raises(OSError) as caught:  # noqa: PT011 # below
                session.save()
            error = caught.value
            break
        try:
            session.save()
        except OSError as caught_error:
            error = caught_error
        else:
            kept.append(session.raw.session_key)
    assert error is not None
    assert error.errno in (errno.ENOSPC, errno.EFBIG)
    assert whole_names(disk / "sessions") == sorted(f"sessionid{key}" for key in kept)
    assert len(list((disk / "sessions").iterdir())) == len(kept)  # nothing half-written
    for number, key in enumerate(kept):
        assert store.SessionStore(key)["number"] == number
    store.SessionStore(kept.pop()).flush()
    session.save()
    assert store.SessionStore(session.raw.session_key)["number"] == len(kept) + 1


@pytest.fixture(params=[errno.EPERM, errno.ENOTSUP], ids=["EPERM", "ENOTSUP"])
def no_links(request: pytest.FixtureRequest) -> Iterator[None]:
    with mock.patch("os.link", side_effect=OSError(request.param, "no links here")):
        yield


def test_a_file_system_without_links_keeps_sessions(store, mode, no_links):
    before = os.umask(0)
    try:
        session = mode.wrap(store.SessionStore())
        session.set("colour", "green")
        session.save()
    finally:
        os.umask(before)
    key = session.raw.session_key
    [path] = store.path.iterdir()
    assert path.name == f"sessionid{key}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert store.SessionStore(key)["colour"] == "green"
    other = mode.wrap(store.SessionStore(key))
    with pytest.raises(CreateError):
        other.save(must_create=True)
    assert store.SessionStore(key)["colour"] == "green"
    assert [path.name for path in store.path.iterdir()] == [f"sessionid{key}"]


@pytest.mark.parametrize("is_on", [False, True])
def test_the_disk_is_waited_for_exactly_if_the_setting_says_so(store, mode, is_on):
    """The content before its name, and then the directory that has the name."""
    asked: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        is_directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        asked.append("directory" if is_directory else "file")
        real(descriptor)

    def deed(act) -> list[str]:
        asked.clear()
        act()
        return list(asked)

    session = mode.wrap(store.SessionStore())
    session.set("colour", "green")
    with override_settings(SESSION_FILE_FSYNC=is_on), mock.patch("os.fsync", fsync):
        assert deed(session.save) == ["file", "directory"] * is_on
        session.set("colour", "red")
        assert deed(session.save) == ["file", "directory"] * is_on
        assert deed(session.load) == []
        assert deed(session.cycle_key) == ["file", "directory", "directory"] * is_on
        assert deed(session.flush) == ["directory"] * is_on


class Sparing(io.FileIO):
    """Takes a thousand bytes at a time, as a kernel may."""

    def write(self, content: Any) -> int:
        return super().write(bytes(content)[:1000])


def test_what_a_short_write_leaves_is_written_too(store, mode, key):
    session = mode.wrap(store.SessionStore(key))
    session.update({"number": 1, "bulk": [1] * 2000, "long": os.urandom(3000).hex()})
    with mock.patch("os.fdopen", lambda file, mode: io.BufferedWriter(Sparing(file, mode))):
        session.save()
    found = store.SessionStore(key)
    assert (found["number"], found["long"]) == (1, session.get("long"))
    assert is_whole(found)


@pytest.mark.parametrize(
    ("deed", "failing"),
    [
        *((deed, "open") for deed in ("load", "save", "cycle_key", "flush", "clear_expired")),
        *(("save", "replace"), ("cycle_key", "link"), ("flush", "unlink"), ("exists", "lstat")),
    ],
)
def test_no_error_of_the_system_names_a_key(store, mode, key, failing, deed, monkeypatch, clock):
    session, keys = mode.wrap(store.SessionStore(key)), [key]
    if deed in ("save", "cycle_key"):
        session.get("number")
    real, new_key = getattr(os, failing), _keys.new_key
    monkeypatch.setattr(_keys, "new_key", lambda: keys.append(new_key()) or keys[-1])

    def fail(path, *args, **kwargs):
        if str(store.path) not in os.fspath(path):
            return real(path, *args, **kwargs)
        raise OSError(errno.EIO, "The disk is broken", path)

    clock.move(60 * 60 * 24 * 30 * (deed == "clear_expired"))
    broken = mock.patch.object(os, failing, fail)
    with broken, pytest.raises(OSError, match="broken") as caught:
        getattr(session, deed)(*[key] * (deed == "exists"))
    said = "".join(traceback.format_exception(caught.value))
    assert f"{store.path}/sessionid" in said
    assert not [each for each in keys if each in said]
