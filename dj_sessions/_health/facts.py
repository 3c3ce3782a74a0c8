"""What a store can do, and what the server behind it says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from time import monotonic, sleep, time
from typing import Any, Final

from django.db import DatabaseError, connections, router
from django.utils import timezone

from dj_sessions._health.report import Problem, Report
from dj_sessions.checks._shared import Unusable, use
from dj_sessions.checks.redis import KEEPING, memory_policies
from dj_sessions.storage import Storage
from dj_sessions.storage.caches import adapter_of
from dj_sessions.storage.caches.locmem import LocMemAdapter
from dj_sessions.storage.caches.memcached import MemcachedAdapter
from dj_sessions.storage.caches.redis import RedisAdapter
from dj_sessions.storage.moving import MovingStorage
from dj_sessions.storage.rows.managers import manager_of, named

ABILITIES: Final = ("atomic_replace", "atomic_rename", "async_native", "forgets_expired")
#: Whether a server forgets sessions too early; else it begins with "yes".
NEVER, UNKNOWN = "no", "unknown"
#: Seconds for which a replica is waited for, and between two looks at it.
LONGEST_LAG: Final = 2.0
LOOK_AGAIN: Final = 0.01
#: Seconds by which two clocks may differ.
SKEW: Final = 2.0

#: The time of a database's server, in seconds since the epoch. Others answer to CURRENT_TIMESTAMP.
CLOCKS: Final = {
    "postgresql": "SELECT EXTRACT(EPOCH FROM clock_timestamp())",
    "mysql": "SELECT UNIX_TIMESTAMP(SYSDATE(6))",
}


def gather(storage: Storage, report: Report) -> None:
    """Add to ``report`` what ``storage`` declares and its server says, of a move both."""
    report.abilities.update({name: bool(getattr(storage, name)) for name in ABILITIES})
    answers = [_ask(place, report) for place in places_of(storage)]
    otherwise = UNKNOWN if UNKNOWN in answers else NEVER
    report.evicts = next((answer for answer in answers if answer.startswith("yes")), otherwise)


def places_of(storage: Storage) -> list[Storage]:
    """Return the storages that have the sessions: two while these move."""
    for layer in layers_of(storage):
        if isinstance(layer, MovingStorage):
            return [layer.source, layer.target]
    return [storage]


def layers_of(storage: Any) -> Iterator[Any]:
    """Yield a storage, and those inside of it."""
    while storage is not None:
        yield storage
        storage = None if isinstance(storage, MovingStorage) else vars(storage).get("inner")


def _ask(storage: Storage, report: Report) -> str:
    """Ask the server of a storage; return whether it forgets sessions before their end."""
    adapter = getattr(storage, "adapter", None)
    client = _redis_of(storage, adapter)
    if client is not None:
        return _ask_redis(client, report, is_cache=adapter is not None)
    if storage.database is not None:
        _compare_clocks(report, _database_skew(storage.database))
        return NEVER
    if isinstance(adapter, MemcachedAdapter | LocMemAdapter):
        return "yes: the least used, when the memory that it may take is full"
    return NEVER if adapter is None and not storage.forgets_expired else UNKNOWN


def _redis_of(storage: Storage, adapter: Any) -> Any:
    if isinstance(adapter, RedisAdapter):
        return adapter.client
    return getattr(getattr(storage, "server", None), "client", None)


def _ask_redis(client: Any, report: Report, *, is_cache: bool) -> str:
    policies = memory_policies(client)
    if is_cache and policies - {KEEPING}:  # of the engine redis, W078 says it
        report.problems.append(
            Problem(
                "evicts",
                f"The Redis of SESSION_CACHE_ALIAS has maxmemory-policy = "
                f"{', '.join(sorted(policies - {KEEPING}))}: when its memory is full it removes "
                "sessions, and their visitors are logged out.",
                f"Set maxmemory-policy to {KEEPING}, and give sessions a Redis of their own.",
                is_fatal=False,
            )
        )
    _compare_clocks(report, _redis_skew(client))
    if not policies:
        return UNKNOWN
    return NEVER if policies == {KEEPING} else f"yes: {', '.join(sorted(policies))}"


def _redis_skew(client: Any) -> float | None:
    """Return by how many seconds the clock of the server is ahead, of a cluster the worst one."""
    begun = time()
    try:
        answer = use(client.time)
    except Unusable:  # the steps tell whether it answers
        return None
    halfway = (begun + time()) / 2
    times = list(answer.values()) if isinstance(answer, Mapping) else [answer]
    skews = [seconds + microseconds / 1e6 - halfway for seconds, microseconds in times]
    return max(skews, key=abs, default=None)


def _database_skew(alias: str) -> float | None:
    """Return by how many seconds the clock of the server is ahead; None if it has none."""
    connection = connections[alias]
    if connection.vendor not in CLOCKS:  # SQLite has this machine's
        return None
    begun = time()
    try:
        with connection.cursor() as cursor:
            cursor.execute(CLOCKS[connection.vendor])
            (server,) = cursor.fetchone()
    except DatabaseError:  # the steps tell whether it answers
        return None
    return float(server) - (begun + time()) / 2


def look_at_copies(cache: Any, report: Report) -> None:
    """Say so where the cache is gone that copies of rows are in: the sessions are not."""
    try:
        cache.get("dj_sessions.check")
    except Exception as error:  # noqa: BLE001 # of whichever library
        report.problems.append(
            Problem(
                "no-copies",
                f"The cache of SESSION_CACHE_ALIAS fails ({type(error).__name__}): each session is "
                "read from the database.",
                "Start it, or correct its address in CACHES.",
                is_fatal=False,
            )
        )


def note_scripts(cache: Any, report: Report) -> None:
    """Say so where steps on ``cache`` could not be scripts; of the engine redis, W079 says it."""
    adapter = None if cache is None else adapter_of(cache)
    if isinstance(adapter, RedisAdapter) and not adapter.runs_scripts:
        report.problems.append(
            Problem(
                "no-scripts",
                "Redis runs no scripts for the user of SESSION_CACHE_ALIAS: a save takes three "
                "round trips instead of one.",
                "Give the user +eval and +evalsha.",
                is_fatal=False,
            )
        )


def compare_file_clock(storage: Storage, key: str, report: Report) -> None:
    """Compare this machine's clock with that of the file system, where that tells."""
    record = storage.read(key)
    if record is not None and record.modified is not None:
        _compare_clocks(report, (record.modified - timezone.now()).total_seconds())


def _compare_clocks(report: Report, skew: float | None) -> None:
    if skew is None:
        return
    report.skew = max(report.skew or 0.0, round(skew, 3), key=abs)
    if abs(skew) > SKEW:
        report.problems.append(
            Problem(
                "clock-skew",
                f"The clock of the store is {abs(skew):.1f} seconds "
                f"{'ahead of' if skew > 0 else 'behind'} that of this machine: sessions end early "
                "or late.",
                "Have both machines set their clocks by NTP.",
                is_fatal=False,
            )
        )


def reads_elsewhere(storage: Storage) -> bool:
    """Return whether a router has sessions read in another database than they are written to."""
    model = getattr(storage, "model", None)
    return model is not None and router.db_for_read(model) != router.db_for_write(model)


def measure_lag(storage: Any, key: str, report: Report) -> None:
    """Wait until the session ``key`` is where it is read, if that is elsewhere."""
    if not reads_elsewhere(storage):
        return
    alias = router.db_for_read(storage.model)
    name, _ = storage.names_around_save(key)
    rows = named(manager_of(storage.model).using(alias), name)
    begun = monotonic()
    while not rows.exists():
        if monotonic() - begun > LONGEST_LAG:
            report.problems.append(_late(alias))
            return
        look_again()
    report.lag = round(monotonic() - begun, 3)


def look_again() -> None:
    """Give a replica time to catch up."""
    sleep(LOOK_AGAIN)


def _late(alias: str) -> Problem:
    return Problem(
        "replica-lag",
        f"A session is not in the database {alias!r}, from which a router has sessions read, "
        f"{LONGEST_LAG:g} seconds after it was stored. Until it is, a request asks two databases.",
        "Repair the replication, or have the router read sessions where they are written.",
        is_fatal=False,
    )
