"""Servers are used, started or absent with a reason; runs side by side keep apart."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests import services

ROOT = Path(__file__).parents[1]
KINDS = {kind.name: kind for kind in services.KINDS}
FIND = """\
import json, sys
from dataclasses import asdict
from tests import services
kind = next(kind for kind in services.KINDS if kind.name == sys.argv[1])
print(json.dumps(asdict(services.find(kind))))
"""


def python(*arguments, **environment):
    """Run a Python that inherits no servers from this run."""
    inherited = {name: v for name, v in os.environ.items() if name != services.HANDED_DOWN}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def find(name, **environment):
    done = python("-c", FIND, name, **environment)
    assert done.returncode == 0, done.stderr
    return services.Service(**json.loads(done.stdout))


def answers(service):
    with socket.socket() as probe:
        return probe.connect_ex((service.host, service.port)) == 0


@pytest.mark.parametrize("name", KINDS)
def test_a_server_that_answers_is_used(name):
    here = services.run().services[name]
    if not here:
        pytest.skip(here.reason)
    told = {f"{name.upper()}_{what}": str(getattr(here, what.lower())) for what in ("HOST", "PORT")}
    told |= {f"{name.upper()}_USER": here.user, f"{name.upper()}_PASSWORD": here.password}
    assert find(name, **told) == replace(here, origin="answers at")
    assert answers(here)


@pytest.mark.parametrize("name", KINDS)
def test_a_server_that_does_not_answer_is_started_and_stopped_at_exit(name):
    found = find(name, **{f"{name.upper()}_PORT": "1"})
    if not found and "none was started: no " in found.reason:
        pytest.skip(found.reason)
    assert found.reason == ""
    assert found.version
    assert found.origin.startswith("started from /")
    assert not answers(found)


@pytest.mark.parametrize("name", ["mariadb", "redis", "memcached"])
def test_an_absent_server_says_where_it_was_sought_and_what_is_not_installed(name):
    found = find(name, PATH="/nowhere", **{f"{name.upper()}_PORT": "1"})
    assert not found
    assert "127.0.0.1:1 is no use: " in found.reason
    assert "none was started: no " in found.reason
    assert found.reason.endswith(" on PATH")


def test_a_missing_server_fails_the_run_that_requires_it():
    silent = {f"{name.upper()}_PORT": "1" for name in KINDS}
    pytest_ = ["-m", "pytest", "--no-cov", "-q", "--collect-only", "tests/test_services.py"]
    done = python(*pytest_, REQUIRE_SERVICES="1", PATH="/nowhere", **silent)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "redis absent: " in done.stderr
    assert "memcached absent: " in done.stderr


def test_runs_side_by_side_have_databases_of_their_own_and_children_share_their_parent_s():
    slot = "from tests import services; print(services._claim_slot())"
    other = int(python("-c", slot).stdout)
    assert other != services.run().slot
    handed_down = {services.HANDED_DOWN: os.environ[services.HANDED_DOWN]}
    child = python("-c", "from tests import services; print(services.run().slot)", **handed_down)
    assert int(child.stdout) == services.run().slot
