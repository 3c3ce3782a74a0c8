"""A storage around a storage whose verbs are written once for sync and async code."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from asgiref.sync import sync_to_async

from dj_sessions.storage.base import Storage

#: What a verb does, which yields the calls of the storage inside: a verb and its arguments.
Steps = Generator[tuple[Any, ...], Any, Any]


class SteppedStorage(Storage):
    """Takes steps of its own, which may block, and calls ``rows`` between them."""

    rows: Any

    def _run(self, steps: Steps) -> Any:
        """Take the steps, and call the rows' storage between them."""
        answer = None
        while True:
            try:
                verb, *arguments = steps.send(answer)
            except StopIteration as end:
                return end.value
            answer = getattr(self.rows, verb)(*arguments)

    async def _arun(self, steps: Steps) -> Any:
        """Do the same in one thread; where the rows have I/O of their own, that is awaited."""
        if type(self.rows).aread is Storage.aread and not self.rows.async_native:
            return await sync_to_async(self._run)(steps)
        step = sync_to_async(_step)
        answer, is_over = await step(steps, None)
        while not is_over:
            verb, *arguments = answer
            answer, is_over = await step(steps, await self._acall(verb, arguments))
        return answer

    async def _acall(self, verb: str, arguments: list[Any]) -> Any:
        twin = getattr(self.rows, f"a{verb}", None)
        if twin is None:
            return await sync_to_async(getattr(self.rows, verb))(*arguments)
        return await twin(*arguments)


def _step(steps: Steps, answer: Any) -> tuple[Any, bool]:
    """Return what the next step asks for, or, with True, what the last one returned."""
    try:
        return steps.send(answer), False
    except StopIteration as end:
        return end.value, True
