"""A storage around a storage whose methods are written once for sync and async code."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from asgiref.sync import sync_to_async

from dj_sessions.storage.wrapper import StorageWrapper

#: What a method does, which yields the calls of the storage inside: a name and its arguments.
Steps = Generator[tuple[Any, ...], Any, Any]


class SteppedStorage(StorageWrapper):
    """Takes steps of its own, which may block, and calls ``inner`` between them."""

    inner: Any

    def _run(self, steps: Steps) -> Any:
        """Take the steps, and call the storage inside between them."""
        answer = None
        while True:
            try:
                name, *arguments = steps.send(answer)
            except StopIteration as end:
                return end.value
            try:
                answer = getattr(self.inner, name)(*arguments)
            except BaseException as error:  # the steps let go of what they hold
                steps.throw(error)
                raise

    async def _arun(self, steps: Steps) -> Any:
        """Do so in one thread; what the storage inside does in the event loop is awaited."""
        if not self.inner.async_native:
            return await sync_to_async(self._run)(steps)
        step = sync_to_async(_step)
        answer, is_over = await step(steps, None)
        while not is_over:
            name, *arguments = answer
            try:
                answer = await self._acall(name, arguments)
            except BaseException as error:
                await sync_to_async(_throw)(steps, error)
                raise
            answer, is_over = await step(steps, answer)
        return answer

    async def _acall(self, name: str, arguments: list[Any]) -> Any:
        twin = getattr(self.inner, f"a{name}", None)
        if twin is None:
            return await sync_to_async(getattr(self.inner, name))(*arguments)
        return await twin(*arguments)


def _step(steps: Steps, answer: Any) -> tuple[Any, bool]:
    """Return what the next step asks for, or, with True, what the last one returned."""
    try:
        return steps.send(answer), False
    except StopIteration as end:
        return end.value, True


def _throw(steps: Steps, error: BaseException) -> None:
    """Have the steps let go of what they hold; raises ``error``."""
    steps.throw(error)
