"""Each command of a batch, shown to whoever watches the client, in the request that it is of.

A tracer wraps the methods of redis-py that send something. It sees a batch as one pipeline, which
it takes for a part of the request whose command is the first.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from redis.asyncio import Connection, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from dj_sessions.storage.redis.errors import own


def is_watched(redis: Any) -> bool:
    """Return whether somebody has wrapped ``execute_command()``."""
    return hasattr(redis.execute_command, "__wrapped__")


class ShownCommands(Redis):
    """Takes commands that a batch sends, and sends nothing: it only waits for their answers."""

    def __init__(self, redis: Any) -> None:
        super().__init__(connection_pool=_NoPool(redis))

    async def show(self, command: tuple[Any, ...], answer: asyncio.Future[Any]) -> None:
        """Have ``answer`` seen as that of the command, by what wraps ``execute_command()``."""
        execute: Any = self.execute_command
        with suppress(Exception):  # which the task gets that has asked
            await execute(*command, answer=answer)

    async def parse_response(self, *_: Any, **options: Any) -> Any:
        """Return the answer."""
        answer = options["answer"]
        await asyncio.wait([answer])  # to end first is no reason to cancel it
        if error := answer.exception():
            raise own(error)
        return answer.result()


class _NoConnection(Connection):
    async def send_command(self, *_: Any, **__: Any) -> None:
        pass


class _NoPool(ConnectionPool):
    def __init__(self, redis: Any) -> None:
        super().__init__()
        #: Where the server is, which a tracer notes.
        self.connection_kwargs = redis.connection_pool.connection_kwargs
        self._connection = _NoConnection(retry=Retry(NoBackoff(), 0))

    async def get_connection(self, *_: Any, **__: Any) -> Connection:
        return self._connection

    async def release(self, connection: Any) -> None:
        pass
