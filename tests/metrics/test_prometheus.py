"""Prometheus: what a scrape has is the sum over all processes, whichever of them answers."""

from __future__ import annotations

import json
import os
import signal
from functools import partial
from http.client import RemoteDisconnected
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import multiprocess

from tests.fresh import DEFAULTS, PREAMBLE, execute
from tests.interop.browser import Browser
from tests.metrics.notes import NOTE, added_up
from tests.metrics.serving import GUNICORN, UVICORN, Meeting, conflict, live, served

WORKERS = 3
VISITORS, CONFLICTS = 8, 4
SERVERS = {
    "gunicorn": (*GUNICORN, "--workers", str(WORKERS)),
    "gunicorn --preload": (*GUNICORN, "--workers", str(WORKERS), "--preload"),
    "uvicorn": (*UVICORN, "--workers", str(WORKERS)),
}


@pytest.fixture
def files(shop: Path) -> Path:
    """Where the client has its files."""
    path = shop / "counters"
    path.mkdir()
    return path


@pytest.fixture
def serve(site, shop, files):
    settings = site | {"SESSION_METRICS": ["prometheus", NOTE]}
    return partial(served, settings=settings, directory=shop, PROMETHEUS_MULTIPROC_DIR=str(files))


def of(found: Any, name: str) -> dict[tuple[str, ...], float]:
    """The samples of a name, by the values of their labels."""
    return {
        tuple(value for _, value in labels): count
        for (each, labels), count in found.items()
        if each == f"dj_sessions_{name}"
    }


def is_sum_of(notes: Path) -> Any:
    return pytest.approx(added_up(notes))  # seconds may be added in another order


@pytest.mark.parametrize("command", SERVERS.values(), ids=SERVERS)
def test_a_scrape_has_the_sum_of_all_processes(command, serve, shop, pool):
    with serve(command) as server:
        if command[0] == "gunicorn":  # whose workers are forked off later, with --preload
            Meeting(pool, *[server.scrape] * WORKERS).let_go()
        list(pool.map(partial(live, server), range(VISITORS)))
        for number in range(CONFLICTS):
            conflict(pool, server, number)
        shown = [server.scrape()[0] for _ in range(2 * WORKERS)]
        if command[0] == "gunicorn":  # one request at a time, so each process has one of these
            found = Meeting(pool, *[server.scrape] * WORKERS).let_go()
            assert len({process for _, process in found}) == WORKERS
            shown += [each for each, _ in found]
    for each in shown:
        assert each == is_sum_of(shop / "notes")
    assert of(shown[0], "saves_total") == {
        ("db", "new"): VISITORS + CONFLICTS,
        ("db", "changed"): 2 * VISITORS + 2 * CONFLICTS,
    }
    assert of(shown[0], "ended_total") == {("db", "flushed"): VISITORS}
    assert of(shown[0], "merges_total") == {("merged",): CONFLICTS}
    if command[0] == "gunicorn":  # in one process a save may wait for the other one instead
        assert of(shown[0], "save_conflicts_total") == {(): CONFLICTS}


def test_what_a_killed_worker_has_counted_goes_on_counting(serve, shop, files, pool):
    with serve(SERVERS["gunicorn"]) as server:
        list(pool.map(partial(live, server), range(VISITORS)))
        visitor = Browser()
        visitor.visit(server.views, "put", {"colour": "green"})
        before, _ = server.scrape()
        meeting = Meeting(pool, lambda port: visitor.visit(server.views, "put_later", [port, "n"]))
        [killed] = meeting.processes  # which has read the session, and not saved it
        os.kill(killed, signal.SIGKILL)
        with pytest.raises((RemoteDisconnected, ConnectionError)):
            meeting.let_go()
        list(pool.map(partial(live, server), range(VISITORS)))
        found = Meeting(pool, *[server.scrape] * WORKERS).let_go()
        assert str(killed) not in {process for _, process in found}
        multiprocess.mark_process_dead(killed, str(files))  # is about gauges
        found.append(server.scrape())
    assert any(str(killed) in path.name for path in files.iterdir())
    for each, _ in found:
        assert each == is_sum_of(shop / "notes")
    read = ("db", "read")
    count = "storage_duration_seconds_count"
    assert of(found[0][0], count)[read] == 2 * of(before, count)[read] + 1
    assert of(found[0][0], "ended_total") == {("db", "flushed"): 2 * VISITORS}


def test_workers_that_are_replaced_go_on_counting(serve, shop, files, pool):
    """Each leaves its files: a server that is not restarted for long has many of them."""
    with serve((*SERVERS["gunicorn --preload"], "--max-requests", "4")) as server:
        list(pool.map(partial(live, server), range(VISITORS)))
        # While all of them are up: who begins meanwhile has half a file.
        found, _ = Meeting(pool, *[server.scrape] * WORKERS).let_one_go()
    assert found == is_sum_of(shop / "notes")
    assert of(found, "ended_total") == {("db", "flushed"): VISITORS}
    assert len({path.stem.rpartition("_")[2] for path in files.iterdir()}) > WORKERS


MANAGE = """
import django
django.setup()
from django.core.management import call_command
call_command("check", fail_level="CRITICAL")
from dj_sessions.backends.signed_cookies import SessionStore
session = SessionStore()
session["colour"] = "green"
session.save()
print("saved")
"""


def test_a_site_is_served_without_the_directory_and_the_check_says_so(tmp_path):
    installed = ["django.contrib.contenttypes", "django.contrib.auth", "dj_sessions"]
    settings = DEFAULTS | {"INSTALLED_APPS": installed, "SESSION_METRICS": "prometheus"}
    missing = tmp_path / "counters"
    said = execute(
        *("-c", PREAMBLE + MANAGE, json.dumps(settings)), PROMETHEUS_MULTIPROC_DIR=str(missing)
    )
    assert said.endswith("saved\n")
    assert "dj_sessions.E115" in said
    assert f"raises FileNotFoundError ([Errno 2] No such file or directory: '{missing}/" in said
    assert "HINT: Correct what it says. PROMETHEUS_MULTIPROC_DIR, if set, names a directory" in said
