"""The command as an operator runs it: a process that signals end, and its exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.fresh import REPOSITORY
from tests.patience import PATIENCE

COMMAND = """
import sys
from django.conf import settings
settings.configure(
    SECRET_KEY="a key for tests, which is long enough to be no weakness of its own: 0123456789",
    INSTALLED_APPS=["dj_sessions"],
    MIDDLEWARE=["dj_sessions.middleware.SessionMiddleware"],
    SESSION_ENGINE="dj_sessions.backends.file",
    SESSION_FILE_PATH=sys.argv.pop(1),
    USE_TZ=True,
)
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
LONG_AGO = 365 * 24 * 3600


@pytest.fixture
def start(tmp_path):
    processes = []

    def start(*arguments):
        command = [sys.executable, "-c", COMMAND, str(tmp_path), "clearsessions", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, cwd=REPOSITORY, **pipes)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def fill(directory, number):
    for place in range(number):
        path = directory / f"sessionid{place:032}"
        path.touch()
        os.utime(path, (time.time() - LONG_AGO,) * 2)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_the_shell_s_code(tmp_path, start, number, code):
    fill(tmp_path, 5)
    process = start("--batch-size=2", "--sleep=600")
    deadline = time.monotonic() + PATIENCE
    while len(os.listdir(tmp_path)) == 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (code, "")
    assert f"Ended by {number.name} after 2 expired sessions had been removed." in err
    assert len(os.listdir(tmp_path)) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 0, "Removed 2 expired sessions."),
        (("--limit=1",), 0, "Removed 1 expired session, which is the limit"),
        (("--batch-size=0",), 1, "--batch-size must be a whole number, from 1 to 10000, not 0."),
        (("--batches=1",), 2, "unrecognized arguments"),
    ],
)
def test_the_exit_codes(tmp_path, start, arguments, code, said):
    fill(tmp_path, 2)
    process = start(*arguments)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == code
    assert said in (err if code else out)
    assert not (out if code else err)
