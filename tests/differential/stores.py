"""Run a program on two store objects and write down what can be seen after each step."""

from functools import partial
from importlib import import_module
from typing import Any

from django.conf import settings
from django.test import override_settings

from tests.differential.clock import clock
from tests.differential.operations import Operations
from tests.differential.records import records
from tests.interop.wire import Packed


class World(Operations):
    """Two store objects, A and B (as two requests would hold them), over one storage."""

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        clock.reset()
        records.clear()
        self.store_class = import_module(settings.SESSION_ENGINE).SessionStore
        self.slots = {"A": self.store_class(), "B": self.store_class()}

    async def run(self, program: list[dict[str, Any]]) -> list[Packed]:
        return [await self.step(**operation) for operation in program]

    async def do_open(self, store: Any, key: Any) -> None:
        """What the middleware does with a cookie."""
        self.slots[self.current] = self.store_class(key)

    async def do_reopen(self, store: Any) -> None:
        """The next request of the same browser."""
        self.slots[self.current] = self.store_class(store._session_key)

    async def do_share(self, store: Any) -> None:
        """A second request of the same browser while the first one still runs."""
        self.slots["B" if self.current == "A" else "A"] = self.store_class(store._session_key)


def run(mode: str, program: list[dict[str, Any]], overrides: dict[str, Any]) -> list[Packed]:
    with override_settings(**overrides):
        world = World(mode)
        trace: list[Packed] = world.mode.run(partial(world.run, program))
        return trace
