"""The commands of one event loop, of which those that come together are sent together."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context, copy_context
from functools import cached_property
from typing import Any, Final

from redis.asyncio import Redis

from dj_sessions.storage.redis.errors import late, own
from dj_sessions.storage.redis.tracing import ShownCommands, is_watched

Command = tuple[Any, ...]
#: Commands, what will be their answers, and the contexts of the tasks that wait for these.
Batch = list[tuple[Command, asyncio.Future[Any], Context]]

#: Commands of a batch. Nobody has an answer before all of a batch have.
LARGEST: Final = 100


class Batches:
    """Sends what the tasks of a loop ask for at one time in one write, and reads it in one go.

    Who is cancelled leaves a command to its end, so that no answer is left for somebody else.
    A batch is sent in the context of its first task. A tracer takes it for a part of that task's
    request, and so is shown the commands of the others in theirs.
    """

    def __init__(self, redis: Any, turns: asyncio.Semaphore, limit: float | None) -> None:
        self._redis = redis
        self._turns = turns
        self._limit = limit
        # A cluster has each command on a node of its own.
        self._is_one_server = isinstance(redis, Redis)
        self._waiting: Batch = []
        #: A loop itself forgets tasks that nobody holds.
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, command: Command) -> asyncio.Future[Any]:
        """Return what will be the answer, or raise what redis-py raises."""
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        waiting = command, answer, copy_context()
        if not self._is_one_server:
            self._begin([waiting])
            return answer
        if not self._waiting:
            loop.call_soon(self._begin_waiting)
        self._waiting.append(waiting)
        return answer

    def _begin_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        # Who was cancelled meanwhile wants nothing any more: so do all tasks of a loop that ends.
        wanted = [each for each in waiting if not each[1].done()]
        for start in range(0, len(wanted), LARGEST):
            self._begin(wanted[start : start + LARGEST])

    def _begin(self, batch: Batch) -> None:
        (_, _, context), *others = batch
        self._start(self._answer(batch), context)
        if others and is_watched(self._redis):
            for command, answer, context in others:
                self._start(self._shown.show(command, answer), context)

    def _start(self, work: Coroutine[Any, Any, None], context: Context) -> None:
        task = asyncio.get_running_loop().create_task(work, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @cached_property
    def _shown(self) -> ShownCommands:
        return ShownCommands(self._redis)

    async def _answer(self, batch: Batch) -> None:
        try:
            answers = await self._answers([command for command, _, _ in batch])
        except asyncio.CancelledError:  # the loop ends
            for _, answer, _ in batch:
                answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, who waits gets it
            answers = [own(error) for _ in batch]
        for (_, answer, _), given in zip(batch, answers, strict=True):
            if answer.cancelled():
                continue
            if isinstance(given, Exception):
                answer.set_exception(given)
            else:
                answer.set_result(given)

    async def _answers(self, commands: list[Command]) -> list[Any]:
        try:
            async with asyncio.timeout(self._limit), self._turns:
                if len(commands) == 1:
                    return [await self._redis.execute_command(*commands[0])]
                pipe = self._redis.pipeline(transaction=False)
                for command in commands:
                    pipe.execute_command(*command)
                return await pipe.execute(raise_on_error=False)  # type: ignore[no-any-return]
        except TimeoutError as error:
            raise late(self._limit) from error
