"""The connections to one Redis that the process keeps for its sessions."""

from __future__ import annotations

import os
import sys
from collections import deque
from contextlib import suppress
from typing import Any, Final

from redis import ConnectionPool
from redis.exceptions import RedisError

#: As many connections stay open while nobody needs them.
KEPT: Final = 10


class SessionPool(ConnectionPool):
    """Makes as many connections as there are commands at a time, and keeps a few of them.

    redis-py's own keeps them all, and to lend one and take it back it takes longer than a load of a
    session may take beyond the command.
    """

    def reset(self) -> None:
        """Begin anew, as in a process that was forked off."""
        self._idle: deque[Any] = deque()
        super().reset()

    def get_connection(self, *arguments: Any, **options: Any) -> Any:
        """Lend a connection, which is open and has nothing to read."""
        if self.pid != os.getpid():
            self.reset()
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self.connection_class(**self.connection_kwargs)
        try:
            connection.connect()
            if _has_data(connection):
                connection.disconnect()
                connection.connect()
        except BaseException:
            # A time limit may strike in a greeting, whose answer is then still to come.
            connection.disconnect()
            raise
        connection.lent_while = id(sys.exception())
        return connection

    def release(self, connection: Any) -> None:
        """Take a connection back."""
        # A time limit may strike between a command and its answer. The next command, perhaps
        # another visitor's, would take that answer for its own.
        is_at_rest = id(sys.exception()) == connection.lent_while
        if not is_at_rest or connection.pid != self.pid:
            connection.disconnect()
            return
        self._idle.append(connection)
        # Counted afterwards, as other threads give back theirs at the same time.
        if len(self._idle) > KEPT:
            with suppress(IndexError):
                self._idle.popleft().disconnect()

    def disconnect(self, inuse_connections: bool = True) -> None:
        """Close the connections that nobody uses."""
        with suppress(IndexError):
            while True:
                self._idle.pop().disconnect()


def _has_data(connection: Any) -> bool:
    """Return whether something has come on a connection that is at rest, as its end would."""
    try:
        return bool(connection.can_read())
    except (RedisError, OSError):
        return True
