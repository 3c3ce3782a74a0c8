"""A short run on each store, and the proof that its audit finds what it is for."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fresh import execute
from tests.patience import PATIENCE
from tests.stores import Case, Store
from tests.stress import report
from tests.stress.plan import Plan
from tests.stress.run import Bounds, stress

SEED = int(os.environ.get("STRESS_SEED") or 20)

#: So many visits that every actor has met the others; the seconds are for a machine that hangs.
SHORT = Bounds(seed=SEED, seconds=float(PATIENCE), processes=2, threads=3, visits=40)


@pytest.mark.stores(server_side=True)
def test_nothing_is_lost_nothing_comes_back_and_nothing_fails(store: Store) -> None:
    result = stress(store.case, store.engine, SHORT)
    assert result.is_clean, report.findings(result)
    assert result.acknowledged > 100
    assert result.ended > 10


@pytest.mark.stores("db", "file", "redis", database=("postgres", None))
def test_nor_where_servers_store_keys_in_two_forms(store: Store) -> None:
    """On one store of each kind; python -m tests.stress --changing-keys tries all of them."""
    result = stress(store.case, store.engine, replace(SHORT, changing_keys=True))
    assert result.is_clean, report.findings(result)
    assert result.acknowledged > 100
    assert result.ended > 10


@pytest.mark.parametrize("database", ["postgres", "mariadb"])
def test_nor_where_sessions_move_while_other_servers_only_prepare(
    database: str, databases: None
) -> None:
    case = Case("moving", database)
    if case.missing:
        pytest.skip(case.missing)
    result = stress(case, "dj_sessions.backends.moving", SHORT)
    assert result.is_clean, report.findings(result)
    assert result.acknowledged > 100
    assert result.ended > 10


def test_the_audit_finds_the_updates_that_the_engine_of_django_loses(databases: None) -> None:
    result = stress(Case("db", "sqlite"), "django.contrib.sessions.backends.db", SHORT)
    assert result.lost > 0
    assert result.losses
    assert not result.is_clean


def test_the_audit_finds_the_sessions_that_a_broken_engine_brings_back(databases: None) -> None:
    for _ in range(10):  # of three on average, one run in some dozens has none
        result = stress(Case("file"), "tests.stress.broken", SHORT)
        assert result.lost > 0
        if result.revived:
            break
    assert result.revived
    assert not result.is_clean


def test_what_chance_decides_depends_on_the_seed_alone() -> None:
    def plan(seed: int) -> Plan:
        return Plan(seed, 1.0, 2, 3, 10, has_rows=True, mortal=["key"] * 50)

    assert plan(1).parties() == plan(1).parties()
    assert plan(1).parties() != plan(2).parties()
    assert plan(1).chance("p0t0").random() == plan(1).chance("p0t0").random()
    assert plan(1).chance("p0t0").random() != plan(1).chance("p0t1").random()
    assert {party.how for party in plan(1).parties()} >= {"logout", "login", "row"}


def test_the_command_prints_a_table_and_writes_down_everything(tmp_path: Path) -> None:
    written = tmp_path / "results.json"
    bounds = ["--seed", "3", "--visits", "10", "--processes", "1", "--threads", "2"]
    output = execute("-m", "tests.stress", "--stores", "file", *bounds, "--json", str(written))
    assert "seed=3" in output
    assert "django.contrib.sessions / dj_sessions\n" in output
    results = json.loads(written.read_text())["results"]
    assert [result["engine"] for result in results] == [
        "django.contrib.sessions.backends.file",
        "dj_sessions.backends.file",
    ]
    acknowledged = " / ".join(str(result["acknowledged"]) for result in results)
    [line] = [line for line in output.splitlines() if line.startswith("| file ")]
    assert f"| {acknowledged} " in " ".join(line.split())
