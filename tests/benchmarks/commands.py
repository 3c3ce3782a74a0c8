"""The commands that a side obeys: see tests/interop/worker.py."""

from __future__ import annotations

import pstats
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connections

from tests.benchmarks.subjects import closers


def do_migrate() -> None:
    call_command("migrate", verbosity=0)


def do_hang_up() -> None:
    """Close what is open, so that the servers see no client vanish."""
    for close in closers:
        close()
    connections.close_all()
    for opened in caches.all(initialized_only=True):
        opened.close()


def do_sample(group: str, name: str, seconds: float) -> float:
    """One sample of a subject, which is made and warmed up when first asked for."""
    return _subject(group, name).sample(seconds)


def do_cookies(count: int) -> list[str]:
    """The cookies of so many stored sessions."""
    requests = import_module("tests.benchmarks.subjects.requests")
    return [requests.cookie() for _ in range(count)]


def do_serializers() -> list[str]:
    """The serializers of sessions that are there to stay, and whose library is installed."""
    from dj_sessions import serializers

    others = ("Base", "Decrypting", "PickleTo")  # another name, and the ways to other serializers
    names = (name for name in serializers.__all__ if not name.startswith(others))
    return [name for name in names if "JSON" in name.upper() and _works(name)]


def _works(name: str) -> bool:
    from dj_sessions import serializers

    try:
        return bool(getattr(serializers, name)().dumps({}))
    except ImproperlyConfigured:  # it says which library is missing
        return False


def do_profile(group: str, name: str, seconds: float) -> dict[str, Any]:
    """Microseconds per call of a subject, without the profiler and per function with it."""
    calls = _subject(group, name)
    plain = calls.sample(seconds)
    profile = calls.profiled()
    functions = pstats.Stats(profile).stats.items()  # type: ignore[attr-defined]
    lists = {
        "alone": [(own, n, _name_of(*at)) for at, (_, n, own, _, _) in functions],
        "with its callees": [(all_, n, _name_of(*at)) for at, (_, n, _, all_, _) in functions],
    }
    per_call = {
        heading: sorted(
            ((took / calls.count * 1e6, count / calls.count, name) for took, count, name in lines),
            reverse=True,
        )
        for heading, lines in lists.items()
    }
    total = sum(microseconds for microseconds, _, _ in per_call["alone"])
    return {"plain": plain * 1e6, "total": total, "lists": per_call}


def _name_of(file: str, line: int, function: str) -> str:
    place = "/".join(Path(file).parts[-3:])
    return f"{place}:{line} {function}" if line else function


@cache
def _subject(group: str, name: str) -> Any:
    return import_module(f"tests.benchmarks.subjects.{group}").subject(name)
