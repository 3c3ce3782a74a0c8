"""The operations of which programs are made, on one session."""

from functools import partial
from typing import Any

from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from tests.differential.clock import clock
from tests.differential.records import records
from tests.interop.modes import MODES, Async
from tests.interop.wire import Packed, pack


class BrokenSerializer:
    def loads(self, data: bytes) -> Any:
        raise TypeError("a bug of this serializer")


class Keys:
    """Session keys are random: they are told apart by the order in which they appear.

    Signed cookies are not: with the clock standing still they are compared to the letter.
    """

    def __init__(self) -> None:
        self.known: list[str] = []

    def name(self, key: Any) -> Any:
        if not isinstance(key, str) or not key or ":" in key:
            return key
        if key not in self.known:
            self.known.append(key)
        return f"key {self.known.index(key)}"

    def resolve(self, reference: Any) -> Any:
        """`("key", n)` stands for the n-th key that appeared; anything else for itself."""
        match reference:
            case ("key", number):
                return self.known[number % len(self.known)] if self.known else "never0seen0key0"
        return reference


class Operations:
    """Perform an operation of a program: a method of the store, or one of the specials below."""

    def __init__(self, mode: str) -> None:
        self.mode = MODES[mode]
        self.keys = Keys()
        self.slots: dict[str, Any] = {}

    async def step(self, slot: str, do: str, args: Any, kwargs: Any) -> Packed:
        """Perform one operation on the store object in the slot; return what is seen then."""
        self.current = slot
        try:
            outcome = {"returns": await self.perform(self.slots[slot], do, args, kwargs)}
        except Exception as error:  # noqa: BLE001 - what a step raises is part of the trace
            outcome = {"raises": type(error).__name__}
        observation: Packed = await self.mode.aside(partial(self.observe, outcome))
        return observation

    def observe(self, outcome: dict[str, Any]) -> Packed:
        records.stamp(clock.time())
        stores = {slot: self.describe(store) for slot, store in self.slots.items()}
        keys = {store._session_key for store in self.slots.values()}
        kept = {self.keys.name(key): record for key, record in records.read(keys).items()}
        seen = {"outcome": outcome, "stores": stores, "records": kept, "now": clock.time()}
        return Packed(pack(seen))

    async def perform(self, store: Any, name: str, args: Any, kwargs: Any) -> Any:
        args = [self.keys.resolve(arg) for arg in args]
        if special := getattr(self, "do_" + name, None):
            return await special(store, *args)
        return await self.mode.call(store, name, *args, **kwargs)

    def describe(self, store: Any) -> dict[str, Any]:
        """The state of a store object, without making it load or count as accessed."""
        return {
            "key": self.keys.name(store._session_key),
            "accessed": store.accessed,
            "modified": store.modified,
            "empty": store.is_empty(),
            "data": getattr(store, "_session_cache", "(not loaded)"),
        }

    async def do_assign_key(self, store: Any, key: Any) -> None:
        store._session_key = key

    async def do_read_key(self, store: Any) -> Any:
        return self.keys.name(store.session_key)

    async def do_cache_key(self, store: Any) -> Any:
        """Defined by the cache engines alone; elsewhere it is an AttributeError on both sides."""
        key = await store.acache_key() if self.mode is Async else store.cache_key
        prefix = store.cache_key_prefix
        return prefix, self.keys.name(key.removeprefix(prefix))

    async def do_set_flag(self, store: Any, name: str, value: bool) -> None:
        setattr(store, name, value)

    async def do_append(self, store: Any, key: Any, item: Any) -> None:
        """Change a value in place, which no session can notice."""
        (await self.mode.call(store, "__getitem__", key)).append(item)

    async def do_bool(self, store: Any) -> bool:
        return bool(store)

    async def do_len(self, store: Any) -> int:
        return len(store)

    async def do_iter(self, store: Any) -> list[Any]:
        return list(store)

    async def do_encode_decode(self, store: Any, data: Any) -> Any:
        payload = store.encode(data)
        return payload, store.decode(payload)

    async def do_advance(self, store: Any, seconds: float) -> None:
        clock.advance(seconds)

    async def do_during_outage(self, store: Any, method: str) -> Any:
        """The database refuses every statement, as when it is locked or has gone away."""

        def refuse(*args: Any) -> Any:
            raise OperationalError("the database is away")

        with connection.execute_wrapper(refuse):
            return await self.mode.call(store, method)

    async def do_with_broken_serializer(self, store: Any, method: str) -> Any:
        store.serializer = BrokenSerializer
        return await self.mode.call(store, method)

    async def do_count_statements(self, store: Any, method: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            await self.mode.call(store, method)
        return len(queries)

    async def do_show_record(self, store: Any) -> str:
        """How the model shows itself in the admin."""
        return str(records.model(session_key="abcdefgh" * 4))

    async def do_corrupt(self, store: Any, payload: str) -> None:
        """Something that no site wrote stands in the place of the session's payload."""
        await self.mode.aside(partial(records.corrupt, store._session_key, payload))

    async def do_change_elsewhere(self, store: Any, value: Any) -> None:
        """Another tab of the same browser stores something while this request runs."""
        other = type(store)(store._session_key)
        await self.mode.call(other, "__setitem__", "elsewhere", value)
        await self.mode.call(other, "save")

    async def do_end_elsewhere(self, store: Any) -> None:
        """Another tab of the same browser logs out while this request runs."""
        await self.mode.call(type(store)(store._session_key), "flush")
