"""What is written once for sync and async code: steps that ask for calls of a storage's methods."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, ClassVar

from asgiref.sync import sync_to_async

from dj_sessions.storage.record import Record
from dj_sessions.storage.wrapper import StorageWrapper

#: What a method does, which yields the calls of the storage inside: a name and its arguments.
Steps = Generator[tuple[Any, ...], Any, Any]


class SteppedStorage(StorageWrapper):
    """Takes steps of its own, and calls ``inner`` between them."""

    #: Whether its own steps do I/O, so that async code has to take them in a thread.
    steps_block: ClassVar[bool] = True

    inner: Any

    _holding: Callable[[str], Steps]
    _inserting: Callable[[str, Any], Steps]
    _replacing: Callable[[str, Any, Record | None], Steps]
    _removing: Callable[[str, Record | None], Steps]
    _moving: Callable[[str, Record | None, str], Steps]

    # The methods whose steps a subclass writes

    def holds(self, key: str) -> bool:
        return bool(self._run(self._holding(key)))

    async def aholds(self, key: str) -> bool:
        return bool(await self._arun(self._holding(key)))

    def insert(self, key: str, record: Any) -> bool:
        return bool(self._run(self._inserting(key, record)))

    async def ainsert(self, key: str, record: Any) -> bool:
        return bool(await self._arun(self._inserting(key, record)))

    def replace(self, key: str, record: Any, expected: Record | None) -> bool:
        return bool(self._run(self._replacing(key, record, expected)))

    async def areplace(self, key: str, record: Any, expected: Record | None) -> bool:
        return bool(await self._arun(self._replacing(key, record, expected)))

    def remove(self, key: str, expected: Record | None = None) -> bool:
        return bool(self._run(self._removing(key, expected)))

    async def aremove(self, key: str, expected: Record | None = None) -> bool:
        return bool(await self._arun(self._removing(key, expected)))

    def move(self, key: str, expected: Record | None, forward: str) -> bool:
        return bool(self._run(self._moving(key, expected, forward)))

    async def amove(self, key: str, expected: Record | None, forward: str) -> bool:
        return bool(await self._arun(self._moving(key, expected, forward)))

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
        answer, is_over = await self._astep(_step, steps, None)
        while not is_over:
            name, *arguments = answer
            try:
                answer = await self._acall(name, arguments)
            except BaseException as error:
                await self._astep(_throw, steps, error)
                raise
            answer, is_over = await self._astep(_step, steps, answer)
        return answer

    async def _astep(self, step: Any, *arguments: Any) -> Any:
        if self.steps_block:
            return await sync_to_async(step)(*arguments)
        return step(*arguments)

    async def _acall(self, name: str, arguments: list[Any]) -> Any:
        twin = getattr(self.inner, f"a{name}", None)
        if twin is None:
            return await sync_to_async(getattr(self.inner, name))(*arguments)
        return await twin(*arguments)


class SearchingStorage(SteppedStorage):
    """Looks for a session in several places, however it is read; a look is no I/O of its own."""

    steps_block = False

    #: The steps of a method, "read" or "read_latest", for a key.
    _reading: Callable[[str, str], Steps]

    def read(self, key: str) -> Record | None:
        return self._run(self._reading(key, "read"))  # type: ignore[no-any-return]

    async def aread(self, key: str) -> Record | None:
        return await self._arun(self._reading(key, "read"))  # type: ignore[no-any-return]

    def read_latest(self, key: str) -> Record | None:
        return self._run(self._reading(key, "read_latest"))  # type: ignore[no-any-return]

    async def aread_latest(self, key: str) -> Record | None:
        return await self._arun(self._reading(key, "read_latest"))  # type: ignore[no-any-return]


def _step(steps: Steps, answer: Any) -> tuple[Any, bool]:
    """Return what the next step asks for, or, with True, what the last one returned."""
    try:
        return steps.send(answer), False
    except StopIteration as end:
        return end.value, True


def _throw(steps: Steps, error: BaseException) -> None:
    """Have the steps let go of what they hold; raises ``error``."""
    steps.throw(error)
