"""One run over one store: processes, their actors, the audit."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from django.conf import settings
from django.db import connections

from tests.interop.processes import Worker
from tests.stores import ALIASES, CASES, Case
from tests.stress.journal import Journal
from tests.stress.plan import Plan

OURS, DJANGO = "dj_sessions", "django.contrib.sessions"
STRESSED = [case for case in CASES if case.server_side]

#: Mortal sessions to prepare: more than are ended in a second.
MORTAL_PER_SECOND = 200
MOST_MORTAL = 5000


@dataclass(frozen=True)
class Bounds:
    """How long and how wide; what ends first, ends the run. `sessions` is how many all share."""

    seed: int
    seconds: float = 10.0
    processes: int = 4
    threads: int = 4
    visits: int = 1_000_000
    sessions: int = 4


@dataclass
class Result:
    store: str
    engine: str
    seconds: float
    operations: int
    acknowledged: int
    ended: int
    conflicts: int
    busy: int
    errors: dict[str, int]
    lost: int
    losses: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    revived: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return self.operations / self.seconds

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.invented or self.revived or self.errors)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def stress(case: Case, engine: str, bounds: Bounds) -> Result:
    """Run, and audit. `engine` is the module of the engine under stress."""
    # Memory is of one process: there the threads of all are one process's.
    if "locmem" in (case.cache or ""):
        threads = bounds.processes * bounds.threads
        bounds = replace(bounds, processes=1, threads=threads)
    with workers(case, engine, bounds.processes) as processes:
        first = processes[0]
        if not server_of(case):
            first.ask("migrate")
        plan = make_plan(case, bounds, first)
        for number, worker in enumerate(processes):
            worker.send("run", plan=asdict(plan), process=number)
        answers = [worker.receive() for worker in processes]
        journal = Journal.joined(Journal.from_dict(answer["journal"]) for answer in answers)
        for key in (*plan.lasting, *plan.mortal):
            journal.acknowledge(key, "made", "yes")
        verdict = first.ask("audit", journal=journal.as_dict())
        for worker in processes:
            worker.ask("close")
    return Result(
        store=case.name,
        engine=engine,
        seconds=max(answer["seconds"] for answer in answers),
        operations=journal.operations,
        acknowledged=journal.acknowledged,
        ended=len(journal.ended),
        conflicts=journal.conflicts,
        busy=journal.busy,
        errors=dict(journal.errors),
        **verdict,
    )


def make_plan(case: Case, bounds: Bounds, first: Worker) -> Plan:
    most_by_visits = bounds.visits * bounds.processes * bounds.threads // 8
    mortal = int(min(MORTAL_PER_SECOND * bounds.seconds, most_by_visits, MOST_MORTAL))
    values = asdict(bounds)
    return Plan(
        lasting=first.ask("prepare", number=values.pop("sessions")),
        has_rows=case.database is not None,
        **values,
        mortal=first.ask("prepare", number=mortal),
    )


@contextmanager
def workers(case: Case, engine: str, number: int) -> Iterator[list[Worker]]:
    with tempfile.TemporaryDirectory(prefix="stress") as directory, ExitStack() as stack:
        values = settings_of(case, engine, directory)
        yield [stack.enter_context(Worker("tests.stress.commands", values)) for _ in range(number)]


def server_of(case: Case) -> str | None:
    """The alias of the database server that keeps the sessions; None: an SQLite file does."""
    return case.database if case.database not in (None, "sqlite") else None


def settings_of(case: Case, engine: str, directory: str) -> dict[str, Any]:
    """The settings of a process with this store, and with nothing else."""
    root = DJANGO if engine.startswith(DJANGO) else OURS
    cache = settings.CACHES[ALIASES.get(case.cache or "locmem", case.cache)]
    if cache["BACKEND"].endswith("LocMemCache"):
        # By default it forgets a third of what it holds whenever that is 300 entries.
        cache = cache | {"OPTIONS": {"MAX_ENTRIES": 1_000_000}}
    return {
        "SECRET_KEY": settings.SECRET_KEY,
        "INSTALLED_APPS": [root],
        "SESSION_ENGINE": engine,
        "SESSION_SERIALIZER": f"{root}.serializers.JSONSerializer",
        "SESSION_FILE_PATH": directory,
        "DATABASES": {"default": database_of(case, directory)},
        "CACHES": {"default": cache | {"KEY_PREFIX": f"stress{secrets.token_hex(4)}"}},
        "DEFAULT_AUTO_FIELD": "django.db.models.AutoField",
        "LOGGING": {"version": 1, "disable_existing_loggers": True},
        "USE_TZ": True,
    }


def database_of(case: Case, directory: str) -> dict[str, Any]:
    if alias := server_of(case):
        known = connections[alias].settings_dict
        names = ("ENGINE", "NAME", "HOST", "PORT", "USER", "PASSWORD", "OPTIONS")
        return {name: known[name] for name in names}
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": f"{directory}/sessions.sqlite3",
        # As Django's documentation advises for writers side by side.
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
        },
    }
