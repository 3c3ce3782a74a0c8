"""Connections to Redis that the process keeps for its sessions.

Django keeps them with each cache object, and under ASGI each request has one: it connects anew.
And redis-py's pool takes as long to lend a connection and take it back as the command takes.
"""

from __future__ import annotations

import os
import select
import sys
from collections import deque
from copy import copy
from typing import Any, Final

from django.core.cache.backends.redis import RedisCacheClient

#: For a pool of our own: more connections than commands at a time are never made.
UNLIMITED: Final = 2**31
#: What redis-py allows unless it is told otherwise. Who allows less has counted the threads.
MANY: Final = 100

#: What an option that was perhaps made for one cache object alone shows of itself.
ADDRESS: Final = " at 0x"

_clients: Final[dict[tuple[str, ...], Any]] = {}


class QuickPool:
    """Lends what was given back before; all else is the pool's own work.

    ``kept`` is how many connections may lie here, out of the reach of the pool's other users.
    """

    def __init__(self, pool: Any, kept: int) -> None:
        self._pool = pool
        self._used: deque[Any] = deque()
        self._kept = kept

    def get_connection(self, *arguments: Any, **options: Any) -> Any:
        """Lend a connection."""
        connection = self._pop() or self._borrow(*arguments, **options)
        connection.lent_while = id(sys.exception())
        return connection

    def _pop(self) -> Any:
        try:
            connection = self._used.pop()
        except IndexError:
            return None
        try:
            is_as_it_was = connection.pid == os.getpid() and _is_open(connection)
        except BaseException:  # a time limit, which shall not cost the pool a connection
            self._pool.release(connection)
            raise
        if is_as_it_was:
            return connection
        self._pool.release(connection)  # and if another process made it, that is the end of it
        return None

    def _borrow(self, *arguments: Any, **options: Any) -> Any:
        try:
            return self._pool.get_connection(*arguments, **options)
        except BaseException:
            # The pool keeps a connection that was interrupted while it shook hands with the server.
            self._pool.disconnect(inuse_connections=False)
            raise

    def release(self, connection: Any) -> None:
        """Take a connection back."""
        try:
            is_kept = self._is_at_rest(connection) and len(self._used) < self._kept
        except BaseException:
            self._pool.release(connection)
            raise
        (self._used.append if is_kept else self._pool.release)(connection)

    def _is_at_rest(self, connection: Any) -> bool:
        if id(sys.exception()) != connection.lent_while:
            # A time limit may strike between a command and its answer. The next command, perhaps
            # another visitor's, would take that answer for its own.
            connection.disconnect()
            return False
        return not getattr(connection, "should_reconnect", bool)()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)


def _is_open(connection: Any) -> bool:
    """Tell whether a connection is as it was: nothing has come on it, as its end would."""
    sock = getattr(connection, "_sock", None)
    if sock is None or not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return not poll.poll(0)


def kept_client(cache_client: Any) -> Any:
    """Return the process's client for the server that Django's ``RedisCacheClient`` writes to.

    Where the site has chosen its pool, or how many connections that has, it is the cache's own.
    """
    if _has_chosen_its_pool(cache_client):
        return cache_client.get_client(None, write=True)
    server, options = cache_client._servers[0], cache_client._pool_options
    place = (server, repr(sorted(options.items())))
    if ADDRESS in place[1]:
        return cache_client.get_client(None, write=True)
    if place not in _clients:
        make_pool = cache_client._pool_class.from_url
        pool = make_pool(server, max_connections=UNLIMITED, **options)
        client = cache_client._client(connection_pool=QuickPool(pool, UNLIMITED))
        return _clients.setdefault(place, client)
    return _clients[place]


def _has_chosen_its_pool(cache_client: Any) -> bool:
    return (
        type(cache_client)._get_connection_pool is not RedisCacheClient._get_connection_pool  # type: ignore[attr-defined] # not in the stubs
        or cache_client._pool_class is not cache_client._lib.ConnectionPool
        or "max_connections" in cache_client._pool_options
        or "max_connections" in cache_client._servers[0]
    )


def quick_client(client: Any) -> Any:
    """Return a client like django-redis's, which has a pool that all of the process share."""
    pool = client.connection_pool
    if not _is_plain(pool) or pool.max_connections < MANY:
        return client
    client = copy(client)
    # The pool has it, as it outlives the clients: what lies there must not be forgotten with them.
    client.connection_pool = vars(pool).setdefault("_session_pool", QuickPool(pool, kept=1))
    return client


def _is_plain(pool: Any) -> bool:
    """Tell whether a pool of redis-py has its way of lending connections."""
    kinds = [kind for kind in type(pool).__mro__ if kind.__module__.startswith("redis.")]
    return bool(kinds and kinds[0].__name__ == "ConnectionPool") and all(
        getattr(type(pool), verb) is getattr(kinds[0], verb)
        for verb in ("get_connection", "release")
    )
