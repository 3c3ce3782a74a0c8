"""The two sides on one store, and the rounds that they take turns in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from tests.benchmarks.options import Options
from tests.interop.places import DJANGO, OURS, Place, prepared
from tests.interop.processes import Worker
from tests.stores import ALIASES, Case

#: As sites run them: the servers' own commits, which wait for the disk, and for SQLite what is
#: advised for web sites, a write-ahead log that does not wait for each commit.
SQLITE = {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL"}
OPTIONS = {
    "django.db.backends.sqlite3": SQLITE,
    "django.db.backends.postgresql": {},
    "django.db.backends.mysql": {"charset": "utf8mb4"},
}


T = TypeVar("T")


@dataclass(frozen=True)
class Samples:
    django: list[float]
    ours: list[float]
    limits: dict[str, list[float]]


@dataclass(frozen=True)
class Pair:
    """Django's process and ours, on one place."""

    place: Place
    django: Worker
    ours: Worker

    def rounds(
        self,
        options: Options,
        group: str,
        name: str,
        limits: dict[str, tuple[str, str]] | None = None,
        django_name: str = "",
    ) -> Samples:
        """Sample a subject on both sides, and limits (name -> group and subject) beside ours."""

        def asking(worker: Worker, group: str, name: str) -> Callable[[], float]:
            return lambda: worker.ask("sample", group=group, name=name, seconds=options.seconds)

        askers = {
            "django": asking(self.django, group, django_name or name),
            "ours": asking(self.ours, group, name),
        }
        for limit, subject in (limits or {}).items():
            askers[f"limit {limit}"] = asking(self.ours, *subject)
        taken = taking_turns(askers, options.rounds)
        return Samples(
            taken["django"], taken["ours"], {name: taken[f"limit {name}"] for name in limits or {}}
        )


def taking_turns(askers: dict[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Ask each once per round, every other round in the opposite order."""
    taken: dict[str, list[T]] = {name: [] for name in askers}
    names = list(askers)
    for number in range(rounds):
        for name in names if number % 2 else reversed(names):
            taken[name].append(askers[name]())
    return taken


def site(place: Place, root: str, connections_last: int | None = None) -> dict[str, Any]:
    """The settings of a side: warm connections, autocommit, nothing but sessions.

    `connections_last` is CONN_MAX_AGE, in seconds; None: for ever.
    """
    database = place.database
    settings = place.site(
        root,
        INSTALLED_APPS=[root],
        MIDDLEWARE=[f"{root}.middleware.SessionMiddleware"],
        ROOT_URLCONF="tests.benchmarks.urls",
        DATABASES={
            "default": database
            | {"OPTIONS": OPTIONS[database["ENGINE"]], "CONN_MAX_AGE": connections_last}
        },
    )
    if "locmem" in settings["CACHES"].get("sessions", {}).get("BACKEND", ""):
        # Without this it throws sessions away at the 300th, in the midst of being measured.
        settings["CACHES"]["sessions"]["OPTIONS"] = {"MAX_ENTRIES": 1_000_000}
    return settings


@contextmanager
def place_of(case: Case) -> Iterator[Place]:
    cache = ALIASES.get(case.cache or "", case.cache)
    with prepared(replace(case, cache=cache), "benchmarks") as place:
        yield place


@contextmanager
def side(place: Place, root: str) -> Iterator[Worker]:
    with Worker("tests.benchmarks.commands", site(place, root)) as worker:
        yield worker
        worker.ask("hang_up")


@contextmanager
def pair_on(case: Case) -> Iterator[Pair]:
    """Both sides on an empty store of this kind, which is removed at the end."""
    with place_of(case) as place, side(place, DJANGO) as django, side(place, OURS) as ours:
        ours.ask("migrate")
        yield Pair(place, django, ours)
