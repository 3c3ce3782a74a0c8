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
from tests.patience import PATIENCE
from tests.redis_servers import PATIENT
from tests.stores import ALIASES, CASES, Case
from tests.stress.journal import Journal
from tests.stress.plan import Plan

OURS, DJANGO = "dj_sessions", "django.contrib.sessions"
#: The rows from which sessions move to Redis.
MOVING = tuple(Case("moving", database) for database in ("sqlite", "postgres", "mariadb"))
STRESSED = [case for case in (*CASES, *MOVING) if case.server_side]

#: As on the servers of a site in the middle of a change from the one to the other.
FORMS = (["plain", "hashed"], ["hashed", "plain"])

#: As on the servers of a site in the middle of a deploy.
PHASES = ("prepare", "move")

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
    #: Whether every other process stores hashed keys, and the rest plain ones.
    changing_keys: bool = False


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
    with workers(case, engine, bounds) as processes:
        first = processes[0]
        if not server_of(case):
            first.ask("migrate")
        plan = make_plan(case, bounds, processes)
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


def make_plan(case: Case, bounds: Bounds, processes: list[Worker]) -> Plan:
    most_by_visits = bounds.visits * bounds.processes * bounds.threads // 8
    mortal = int(min(MORTAL_PER_SECOND * bounds.seconds, most_by_visits, MOST_MORTAL))
    values = asdict(bounds)
    del values["changing_keys"]
    # Of sessions that move, half are where the first process has them, half where the second has.
    makers = processes[:2] if case.is_moving else processes[:1]
    lasting, mortal_keys = (prepared(makers, n) for n in (values.pop("sessions"), mortal))
    has_rows = case.database is not None and not case.is_moving
    return Plan(lasting=lasting, has_rows=has_rows, **values, mortal=mortal_keys)


def prepared(makers: list[Worker], number: int) -> list[str]:
    """The keys of so many sessions, each maker's as many."""
    found = [maker.ask("prepare", number=number // len(makers)) for maker in makers]
    return [key for keys in zip(*found, strict=True) for key in keys]


@contextmanager
def workers(case: Case, engine: str, bounds: Bounds) -> Iterator[list[Worker]]:
    with tempfile.TemporaryDirectory(prefix="stress") as directory, ExitStack() as stack:
        values = settings_of(case, engine, directory)
        found = []
        for number in range(bounds.processes):
            forms = FORMS[number % len(FORMS)] if bounds.changing_keys else ["plain"]
            own = values | {"SESSION_KEY_STORAGE": forms} | move_of(case, number)
            found.append(stack.enter_context(Worker("tests.stress.commands", own)))
        yield found


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
        **redis_of(case),
        "DEFAULT_AUTO_FIELD": "django.db.models.AutoField",
        "LOGGING": {"version": 1, "disable_existing_loggers": True},
        "USE_TZ": True,
    }


def move_of(case: Case, number: int) -> dict[str, Any]:
    """What the process with this number knows of where sessions move."""
    if not case.is_moving:
        return {}
    engines = {"FROM": f"{OURS}.backends.db", "TO": f"{OURS}.backends.redis"}
    return {"SESSION_MOVE": engines | {"PHASE": PHASES[number % len(PHASES)]}}


def redis_of(case: Case) -> dict[str, Any]:
    if not case.needs_redis:
        return {}
    url = settings.CACHES["redis"]["LOCATION"]
    prefix = f"stress{secrets.token_hex(4)}:"
    return {"SESSION_REDIS": {"URL": url, "PREFIX": prefix, "OPTIONS": PATIENT}}


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
            "timeout": PATIENCE,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
        },
    }
