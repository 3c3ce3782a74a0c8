"""Count what an operation costs: database statements, cache round trips, thread hops.

    with statements() as seen:
        session.create()
    assert len(seen) == 1, seen

Each counter sits below every way in, and sees all threads: statements where Django hands them to
the driver, transactions included; round trips where the cache's client sends; hops where the
event loop hands work to a thread. What a new connection says to introduce itself is not counted.
"""

from __future__ import annotations

import threading
from asyncio.base_events import BaseEventLoop
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial, wraps
from inspect import signature
from typing import Any
from unittest import mock

from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.dispatch import Signal

from dj_sessions.storage.caches.locmem import LocMemAdapter

LOCAL_CACHE_METHODS = (
    *("add", "get", "set", "touch", "delete", "has_key", "incr", "decr", "clear"),
    *("get_or_set", "get_many", "set_many", "delete_many"),
)


#: What goes past those methods.
LOCAL_ADAPTER_METHODS = (*("read", "read_many", "replace", "remove", "write_if"),)


@contextmanager
def statements(using: str | None = None) -> Iterator[list[str]]:
    """The statements sent to the database `using`, or to all; BEGIN, COMMIT, SAVEPOINT too."""
    seen: list[str] = []
    quiet = _Quiet()

    def note(alias: str, sql: Any) -> None:
        if using in (None, alias) and not quiet:
            seen.append(str(sql))

    def executing(original: Any, cursor: Any, sql: Any, *args: Any, **kwargs: Any) -> Any:
        note(cursor.db.alias, sql)
        return original(cursor, sql, *args, **kwargs)

    def turning(original: Any, db: Any, autocommit: bool, *args: Any, **kwargs: Any) -> Any:
        # SQLite's BEGIN is an ordinary statement and was seen above; the other drivers send
        # theirs when autocommit goes off.
        if not autocommit and db.autocommit and db.vendor != "sqlite":
            note(db.alias, "BEGIN")
        return original(db, autocommit, *args, **kwargs)

    def ending(word: str) -> Callable[..., Any]:
        def end(original: Any, db: Any) -> Any:
            note(db.alias, word)
            return original(db)

        return end

    with ExitStack() as stack:
        for owner, name, around in (
            (CursorWrapper, "_execute_with_wrappers", executing),
            (BaseDatabaseWrapper, "set_autocommit", turning),
            (BaseDatabaseWrapper, "_commit", ending("COMMIT")),
            (BaseDatabaseWrapper, "_rollback", ending("ROLLBACK")),
            (BaseDatabaseWrapper, "connect", quiet.during),
        ):
            stack.enter_context(_around(owner, name, around))
        yield seen


@contextmanager
def round_trips() -> Iterator[list[str]]:
    """What was sent to Redis and Memcached, one entry per trip; calls of a local-memory cache."""
    seen: list[str] = []
    with ExitStack() as stack:
        for watch in (_watch_redis, _watch_memcached, _watch_local):
            watch(stack, seen)
        yield seen


@contextmanager
def nobody_listening(signal: Signal) -> Iterator[None]:
    """Without receivers, our own included: Django's engines pay for whoever listens."""
    with mock.patch.object(signal, "receivers", []):
        signal.sender_receivers_cache.clear()
        yield
    signal.sender_receivers_cache.clear()


@contextmanager
def thread_hops() -> Iterator[list[str]]:
    """What event loops handed to threads, whichever library asked for it."""
    seen: list[str] = []

    def handing(original: Any, loop: Any, executor: Any, function: Any, *args: Any) -> Any:
        seen.append(_name(function))
        return original(loop, executor, function, *args)

    with _around(BaseEventLoop, "run_in_executor", handing):
        yield seen


def _name(function: Any) -> str:
    # asgiref binds what it was asked to call into a partial of its own machinery. No repr():
    # that of a bound queryset method runs the query.
    while isinstance(function, partial):
        inner = [value for value in function.args if isinstance(value, partial)]
        function = inner[-1] if inner else function.func
    return str(getattr(function, "__qualname__", type(function).__name__))


class _Quiet(threading.local):
    """True, in this thread, while a method that it is wrapped around runs."""

    depth = 0

    def __bool__(self) -> bool:
        return self.depth > 0

    def during(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        self.depth += 1
        try:
            return original(*args, **kwargs)
        finally:
            self.depth -= 1


def _around(owner: type, name: str, around: Callable[..., Any]) -> Any:
    original = getattr(owner, name)

    @wraps(original)
    def method(*args: Any, **kwargs: Any) -> Any:
        return around(original, *args, **kwargs)

    return mock.patch.object(owner, name, method)


def _watch_redis(stack: ExitStack, seen: list[str]) -> None:
    try:
        from redis.connection import AbstractConnection
    except ImportError:
        return
    quiet = _Quiet()

    def sending(original: Any, connection: Any, command: Any, *args: Any, **kwargs: Any) -> Any:
        # A new connection introduces itself from inside its first send.
        if not quiet and not _asks_for_servers(command):
            seen.append(str(command))
        return original(connection, command, *args, **kwargs)

    for name in ("connect", "connect_check_health"):
        if hasattr(AbstractConnection, name):
            stack.enter_context(_around(AbstractConnection, name, quiet.during))
    stack.enter_context(_around(AbstractConnection, "send_packed_command", sending))
    _watch_redis_in_loops(stack, seen)


def _watch_redis_in_loops(stack: ExitStack, seen: list[str]) -> None:
    from redis.asyncio.connection import AbstractConnection

    connecting: list[Any] = []  # tasks of one thread take turns, so the connections are noted

    async def connect(original: Any, connection: Any, *args: Any, **kwargs: Any) -> Any:
        connecting.append(connection)
        try:
            return await original(connection, *args, **kwargs)
        finally:
            connecting.remove(connection)

    async def sending(original: Any, connection: Any, *args: Any, **kwargs: Any) -> Any:
        if connection not in connecting and not _asks_for_servers(args[0]):
            seen.append(str(args[0]))
        return await original(connection, *args, **kwargs)

    for name in ("connect", "connect_check_health"):
        if hasattr(AbstractConnection, name):
            stack.enter_context(_around(AbstractConnection, name, connect))
    stack.enter_context(_around(AbstractConnection, "send_packed_command", sending))


def _asks_for_servers(command: Any) -> bool:
    """Whether a new client asks Sentinel or a cluster where its servers are."""
    packed = b"".join(command) if isinstance(command, list | tuple) else bytes(command)
    word = packed.partition(b"\r\n")[2].partition(b"\r\n")[2].partition(b"\r\n")[0]
    return word in (b"SENTINEL", b"CLUSTER", b"COMMAND")


def _watch_memcached(stack: ExitStack, seen: list[str]) -> None:
    try:
        from pymemcache.client.base import Client
    except ImportError:
        return

    def sending(original: Any, client: Any, *args: Any, **kwargs: Any) -> Any:
        if not waits_for_nothing(original, client, *args, **kwargs):
            seen.append(str(args))
        return original(client, *args, **kwargs)

    def waits_for_nothing(original: Any, *args: Any, **kwargs: Any) -> bool:
        given = signature(original).bind(*args, **kwargs).arguments
        return given.get("noreply") is True

    # The three places where pymemcache writes to its socket.
    for name in ("_fetch_cmd", "_store_cmd", "_misc_cmd"):
        stack.enter_context(_around(Client, name, sending))


def _watch_local(stack: ExitStack, seen: list[str]) -> None:
    quiet = _Quiet()  # set_many calls set: one call of ours, one trip

    def named(name: str) -> Callable[..., Any]:
        def calling(original: Any, cache: Any, *args: Any, **kwargs: Any) -> Any:
            if not quiet:
                seen.append(f"{name}{args}")
            return quiet.during(original, cache, *args, **kwargs)

        return calling

    for backend in (LocMemCache, DummyCache):
        for name in LOCAL_CACHE_METHODS:
            stack.enter_context(_around(backend, name, named(name)))
    for name in LOCAL_ADAPTER_METHODS:
        stack.enter_context(_around(LocMemAdapter, name, named(name)))
