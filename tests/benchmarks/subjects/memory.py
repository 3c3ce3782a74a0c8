"""Bytes that a session object holds, with all that it refers to and nothing else does."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.benchmarks.sampling import Figure
from tests.benchmarks.subjects.stores import store_class, stored_session

OBJECTS = 100


def subject(name: str) -> Figure:
    """The subject `untouched`, `loaded` or `changed`."""
    session = stored_session()
    session.save()  # signed_cookies makes its key, the data, here
    store, key = store_class(), str(session.session_key)
    return Figure(partial(_bytes_each, partial(STATES[name], store, key)))


def _untouched(store: Any, key: str) -> Any:
    return store(key)


def _loaded(store: Any, key: str) -> Any:
    session = store(key)
    session.get("language")
    return session


def _changed(store: Any, key: str) -> Any:
    session = _loaded(store, key)
    session["language"] = "fr"
    session.save()
    return session


def _bytes_each(make: Callable[[], Any]) -> float:
    make()  # what the first one sets up for all is not counted
    sessions = [None] * OBJECTS
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(OBJECTS):
            sessions[number] = make()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return (after - before) / OBJECTS


STATES = {"untouched": _untouched, "loaded": _loaded, "changed": _changed}
