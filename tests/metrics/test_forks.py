"""A process that forks while it counts: its child waits for none of the threads it has not."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from unittest import mock

import pytest
from django.test import override_settings

from dj_sessions._metrics import opentelemetry, recording
from dj_sessions.backends.signed_cookies import SessionStore
from tests.metrics.told import telling
from tests.patience import PATIENCE


def exit_status(child: Callable[[], bool]) -> int:
    """0 if `child` returns True in a forked process, which has its time for that."""
    with mock.patch.object(os, "getpid"):  # of which coverage makes a new file
        process = os.fork()
        if not process:
            done = threading.Thread(target=lambda: os._exit(0 if child() else 1), daemon=True)
            done.start()
            done.join(PATIENCE)
            os._exit(2)
        return os.waitpid(process, 0)[1]


def saves() -> bool:
    session = SessionStore()
    session["colour"] = "green"
    session.save()
    return True


@pytest.mark.parametrize("client", ["prometheus", "opentelemetry"])
def test_a_forked_process_saves_and_counts(client):
    with telling(client) as seen:
        saves()
        assert exit_status(lambda: saves() and seen.counts("saves") == {"": 2}) == 0
        assert seen.counts("saves") == {"": 1}


def test_a_child_does_not_wait_for_a_thread_that_was_recording():
    with override_settings(SESSION_METRICS="opentelemetry"):
        recorder = opentelemetry.recorder()
        with recorder._lock:  # as a thread may have it that the child has not

            def child() -> bool:
                saves()
                recorder._record(100)
                return len(recorder._waiting) == 0

            assert exit_status(child) == 0


def test_a_child_does_not_wait_for_a_thread_that_was_logging(monkeypatch):
    monkeypatch.undo()  # what has each test begin with one of its own
    with recording._failures._lock:
        assert exit_status(lambda: recording._failures.count() is not None) == 0
