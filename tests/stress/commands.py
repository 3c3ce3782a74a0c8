"""The commands of the worker processes of these tests."""

from __future__ import annotations

import asyncio
import faulthandler
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

from asgiref.sync import sync_to_async

from tests.interop.modes import Async, Sync
from tests.stress.plan import Party, Plan

# Django keeps a cache's connections for as long as the thread or task lives, and leaves them to
# the garbage collector.
warnings.simplefilter("ignore", ResourceWarning)

#: Seconds after which a run that should be over is one that hangs.
GRACE = 120

#: Seconds by which Memcached, whose clock ticks once a second, may be late.
LATE = 1.1


def store_class() -> Any:
    from django.conf import settings

    return import_module(settings.SESSION_ENGINE).SessionStore


def do_migrate() -> None:
    from django.core.management import call_command

    call_command("migrate", "sessions", verbosity=0)


def do_prepare(number: int) -> list[str]:
    """Store so many sessions; return their keys."""
    keys = []
    for _ in range(number):
        session = store_class()()
        session["made"] = "yes"
        session.save()
        keys.append(session.session_key)
    return keys


def do_run(plan: dict[str, Any], process: int) -> dict[str, Any]:
    """Let the actors of this process live; return their journals and how long it took."""
    from tests.stress.journal import Journal

    whole = Plan(**plan)
    faulthandler.dump_traceback_later(whole.seconds + GRACE, exit=True)
    sys.setswitchinterval(0.0005)  # ten times as many chances to meet as by default
    parties = whole.parties()
    threads, tasks = whole.actors(process)
    start = time.monotonic()
    with ThreadPoolExecutor(max_workers=len(threads) + 1) as pool:
        deadline = start + whole.seconds
        running = [pool.submit(run_thread, name, whole, parties, deadline) for name in threads]
        running.append(pool.submit(asyncio.run, run_loop(tasks, whole, parties, deadline)))
        journals = [journal for future in running for journal in future.result()]
    seconds = time.monotonic() - start
    faulthandler.cancel_dump_traceback_later()
    return {"journal": Journal.joined(journals).as_dict(), "seconds": seconds}


def run_thread(name: str, plan: Plan, parties: list[Party], deadline: float) -> list[Any]:
    from django.db import connections

    from tests.stress.actors import Actor

    actor = Actor(name, Sync, plan, parties, store_class())
    try:
        Sync.run(lambda: actor.live(deadline))
    finally:
        connections.close_all()
    return [actor.journal]


async def run_loop(
    names: list[str], plan: Plan, parties: list[Party], deadline: float
) -> list[Any]:
    from django.db import connections

    from tests.stress.actors import Actor

    actors = [Actor(name, Async, plan, parties, store_class()) for name in names]
    try:
        await asyncio.gather(*(actor.live(deadline) for actor in actors))
    finally:
        await sync_to_async(connections.close_all)()
    return [actor.journal for actor in actors]


def do_audit(journal: dict[str, Any]) -> dict[str, Any]:
    """Compare the journal with the store, and leave the store empty."""
    from tests.stress.audit import audit, remove_all
    from tests.stress.journal import Journal

    whole = Journal.from_dict(journal)
    time.sleep(max(0.0, whole.settled + LATE - time.time()))
    verdict = audit(store_class(), whole)
    remove_all(store_class(), whole)
    return verdict.as_dict()


def do_close() -> None:
    from django.db import connections

    connections.close_all()
