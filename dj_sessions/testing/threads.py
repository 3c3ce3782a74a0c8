"""The same call made by several threads at a time, which pause where a storage looks and writes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from time import sleep
from types import FrameType
from typing import Any, Final
from unittest import SkipTest

from django.core.cache import caches
from django.db import connections

from dj_sessions.storage import Storage

#: Seconds for which a thread lets others go first.
PAUSE: Final = 0.002


def at_a_time(
    do: Callable[..., Any],
    make_storage: Callable[[], Storage],
    method: str,
    calls: list[tuple[Any, ...]],
) -> list[bool]:
    """Return what each call of a method returns, with all of them made at the same time.

    ``do(storage, method, *arguments)`` makes one. Raises SkipTest where there are no calls.
    """
    if not calls:
        raise SkipTest("Its threads are 0.")
    barrier, modules = Barrier(len(calls)), _modules_of(make_storage())

    def call(arguments: tuple[Any, ...]) -> bool:
        storage = make_storage()
        barrier.wait()
        try:
            return bool(do(storage, method, *arguments))
        finally:
            connections.close_all()
            caches.close_all()

    with _pausing_in(modules), ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


def _modules_of(storage: Storage) -> set[str]:
    return {kind.__module__ for kind in type(storage).__mro__ if issubclass(kind, Storage)}


@contextmanager
def _pausing_in(modules: set[str]) -> Iterator[None]:
    """Have new threads pause at each call that code of the modules makes, and after it.

    What looks and then writes lets the other threads look before it writes.
    """

    def pause(frame: FrameType, event: str, arg: object) -> None:
        callers = frame, frame.f_back
        if any(each and each.f_globals.get("__name__") in modules for each in callers):
            sleep(PAUSE)

    before = threading.getprofile()
    threading.setprofile(pause)
    try:
        yield
    finally:
        threading.setprofile(before)
