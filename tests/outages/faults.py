"""Storage calls that fail: a statement, a cache command, a call of the file system.

    with faults(store, "cache", lambda number: number == 2) as met:
        session.save()

`met.failed` counts the calls that failed. A call fails before it was made, or after, when its
answer is lost.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any
from unittest import mock

from django.core.cache.backends.locmem import LocMemCache
from django.db import OperationalError, connections
from pymemcache.client.base import Client
from pymemcache.exceptions import MemcacheServerError
from redis.asyncio.connection import AbstractConnection as AsyncConnection
from redis.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from dj_sessions.storage.caches.locmem import LocMemAdapter
from tests.counters import LOCAL_ADAPTER_METHODS
from tests.stores import Store

#: What every error here says, by which a test knows it.
WORDS = "a fault on purpose"

LOCMEM = {
    LocMemAdapter: LOCAL_ADAPTER_METHODS,
    LocMemCache: ("get", "set", "add", "delete", "has_key"),
}
#: The calls that change names, which may have been done although they report a failure.
NAMING = ("link", "replace", "unlink")


@dataclass
class Faults:
    """Counts the storage calls, and lets those fail whose number `fails`."""

    fails: Callable[[int], bool]
    is_late: bool
    calls: int = 0
    failed: int = 0

    def pass_on(self, error: Exception, call: Callable[[], Any], instead: Any = None) -> Any:
        """Make the call unless it is to fail; then only do `instead`, or make it late."""
        is_due = self.fails(self.calls)
        self.calls += 1
        if not is_due:
            return call()
        self.failed += 1
        if instead is not None:
            instead()
        elif self.is_late:
            call()
        raise error

    def around(self, owner: Any, name: str, error: Callable[[], Exception]) -> Any:
        """Return a patch of the method `name`."""
        original = getattr(owner, name)

        @wraps(original)
        def method(*args: Any, **kwargs: Any) -> Any:
            return self.pass_on(error(), lambda: original(*args, **kwargs))

        return mock.patch.object(owner, name, method)

    def around_coroutine(self, owner: Any, name: str, error: Callable[[], Exception]) -> Any:
        """Return a patch of the async method `name`."""
        original = getattr(owner, name)

        @wraps(original)
        async def method(*args: Any, **kwargs: Any) -> Any:
            calls: list[Any] = []
            try:
                self.pass_on(error(), lambda: calls.append(None))
            finally:
                answers = [await original(*args, **kwargs) for _ in calls]
            return answers[0]

        return mock.patch.object(owner, name, method)


@contextmanager
def faults(
    store: Store, part: str, fails: Callable[[int], bool], *, late: bool = False
) -> Iterator[Faults]:
    """Let calls of a part of the store, "database", "cache" or "files", fail in the block."""
    met = Faults(fails, late)
    with ExitStack() as stack:
        {"database": _database, "cache": _cache, "files": _files}[part](stack, met, store)
        yield met


def is_on_purpose(error: BaseException) -> bool:
    return WORDS in str(error)


def _database(stack: ExitStack, met: Faults, store: Store) -> None:
    def execute(original: Any, *args: Any) -> Any:
        return met.pass_on(OperationalError(WORDS), lambda: original(*args))

    stack.enter_context(connections[store.database].execute_wrapper(execute))


def _cache(stack: ExitStack, met: Faults, store: Store) -> None:
    if store.cache in ("redis", "django_redis") or store.is_native:
        name = "read_response" if met.is_late else "send_packed_command"
        stack.enter_context(
            met.around(AbstractConnection, name, lambda: RedisConnectionError(WORDS))
        )
        if store.is_native:
            stack.enter_context(
                met.around_coroutine(AsyncConnection, name, lambda: RedisConnectionError(WORDS))
            )
    elif store.cache == "memcached":
        for name in ("_fetch_cmd", "_store_cmd", "_misc_cmd"):
            stack.enter_context(met.around(Client, name, lambda: MemcacheServerError(WORDS)))
    else:
        for owner, names in LOCMEM.items():
            for name in names:
                stack.enter_context(met.around(owner, name, lambda: RuntimeError(WORDS)))


def _files(stack: ExitStack, met: Faults, store: Store) -> None:
    opened, wrote, closed, directory = os.open, os.write, os.close, str(store.path)
    new: set[int] = set()

    def fail() -> OSError:
        return OSError(errno.EIO, WORDS)

    def open_file(path: Any, flags: int, *args: Any, **kwargs: Any) -> Any:
        if not str(path).startswith(directory):
            return opened(path, flags, *args, **kwargs)
        descriptor = met.pass_on(fail(), lambda: opened(path, flags, *args, **kwargs), _nothing)
        if flags & os.O_CREAT:
            new.add(descriptor)
        return descriptor

    def write(descriptor: int, content: bytes) -> int:
        """Where it is to fail, half of it has been written."""
        if descriptor not in new:
            return wrote(descriptor, content)
        half, no_space = content[: len(content) // 2], OSError(errno.ENOSPC, WORDS)
        return met.pass_on(
            no_space, lambda: wrote(descriptor, content), lambda: wrote(descriptor, half)
        )

    def close(descriptor: int) -> None:
        new.discard(descriptor)
        closed(descriptor)

    stack.enter_context(mock.patch("os.open", open_file))
    stack.enter_context(mock.patch("os.close", close))
    stack.enter_context(mock.patch("os.write", write))
    for name in NAMING:
        stack.enter_context(met.around(os, name, fail))
    stack.enter_context(met.around(fcntl, "flock", fail))


def _nothing() -> None:
    return None


def whole_names(directory: Path) -> list[str]:
    """The names of the files that are sessions, and not on the way to be one."""
    return sorted(path.name for path in directory.iterdir() if "_out_" not in path.name)
