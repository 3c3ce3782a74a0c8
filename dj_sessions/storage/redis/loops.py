"""One asyncio client for each event loop, closed when the loop ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any, NamedTuple

from dj_sessions.storage.redis.batches import Batches


class Client(NamedTuple):
    """The client of a loop, and the turns that it has: as many batches as connections."""

    redis: Any
    turns: asyncio.Semaphore
    batches: Batches
    life: AsyncGenerator[None, None]


class LoopClients:
    """Makes the clients. A socket belongs to the loop in which it was opened."""

    def __init__(self, make: Callable[[], list[Any]], turns: int, limit: float | None) -> None:
        self._make = make
        self._turns = turns
        self._limit = limit
        self._clients: dict[asyncio.AbstractEventLoop, Client] = {}

    def find(self) -> Client | None:
        """Return the client of the running loop, if it has one."""
        return self._clients.get(asyncio.get_running_loop())

    async def open(self) -> Client:
        """Make the client of the running loop, which has none."""
        loop = asyncio.get_running_loop()
        self._forget_closed()
        made = self._make()
        life = self._living(loop, made)
        redis, turns = made[0], asyncio.Semaphore(self._turns)
        batches = Batches(redis, turns, self._limit)
        client = self._clients[loop] = Client(redis, turns, batches, life)
        # A loop closes the generators that were begun in it, and so the client, before it ends:
        # with asyncio.run(), and so under ASGI servers and in async_to_sync().
        await anext(life)
        return client

    async def _living(
        self, loop: asyncio.AbstractEventLoop, made: list[Any]
    ) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self._clients.pop(loop, None)
            await asyncio.gather(*(each.aclose() for each in made))

    def _forget_closed(self) -> None:
        """Let go of clients whose loops were closed without a chance for their generators."""
        for loop in [loop for loop in list(self._clients) if loop.is_closed()]:
            self._clients.pop(loop, None)
