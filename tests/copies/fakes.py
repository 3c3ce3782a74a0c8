"""Rows in a dictionary, and caches in local memory that say before each call what they do."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.utils import timezone

from dj_sessions.storage.base import Commit, Record, Storage
from dj_sessions.storage.caches.locmem import LocMemAdapter
from dj_sessions.storage.copies.storage import CopiedStorage

KEY = "k" * 32
PREFIX = "test.copies"

Step = Callable[[str], None]

_numbers = itertools.count()


def nothing(said: str) -> None:
    """Go on."""


def record(payload: str) -> Record:
    """Return a record that lives for a minute."""
    now = timezone.now()
    return Record(payload, now + timedelta(minutes=1), now)


def payload(number: Any) -> str:
    """Return a payload that looks like a signed one."""
    return f"{number}:time:signature"


class Codec:
    """Data with the payload's number in it."""

    can_rebuild = True
    is_plain = False
    encrypts = False

    def decode(self, payload: Any) -> dict[str, Any] | None:
        number = payload.partition(":")[0]
        return None if number == "corrupt" else {"number": number}

    def loads(self, content: bytes) -> dict[str, Any] | None:
        raise NotImplementedError

    def copied(self, payload):
        return self.decode(payload)

    trusted = copied

    def rebuild(self, data: dict[str, Any], remainder: str) -> str | None:
        return f"{data['number']}:{remainder}" if self.can_rebuild else None


@dataclass
class Table:
    """What everybody sees, and who holds which row."""

    rows: dict[str, str] = field(default_factory=dict)
    held: dict[str, Rows] = field(default_factory=dict)


class Rows(Storage):
    """The rows of a table through one connection; ``step`` is called before each statement."""

    has_own_keys = False

    def __init__(self, table: Table, step: Step = nothing) -> None:
        self.table, self.step = table, step
        self.is_open = False
        self.pending: dict[str, str | None] = {}
        self.actions: list[Callable[[], object]] = []
        self.sent: list[str] = []

    def _says(self, verb: str, key: str = "") -> None:
        self.sent.append(verb)
        self.step(f"row {verb}")
        while verb not in ("read", "commit") and self.table.held.get(key, self) is not self:
            self.step("waits")

    def _now(self, key: str) -> str | None:
        return self.pending[key] if key in self.pending else self.table.rows.get(key)

    def _write(self, key: str, payload: str | None) -> None:
        if self.is_open:
            self.pending[key], self.table.held[key] = payload, self
        elif payload is None:
            del self.table.rows[key]
        else:
            self.table.rows[key] = payload

    def read_written(self, key: str) -> Record | None:
        self._says("read", key)
        now = self._now(key)
        return None if now is None else record(now)

    read = read_latest = read_written

    def holds(self, key: str) -> bool:
        return self.read_written(key) is not None

    def insert(self, key: str, record: Any) -> bool:
        self._says("insert", key)
        if self._now(key) is not None:
            return False
        self._write(key, record.payload)
        return True

    def replace(self, key: str, record: Any, expected: Record | None) -> bool:
        self._says("replace", key)
        now = self._now(key)
        if now is None or (expected is not None and expected.payload != now):
            return False
        self._write(key, record.payload)
        return True

    def remove(self, key: str, expected: Record | None = None) -> bool:
        self._says("remove", key)
        now = self._now(key)
        if now is None or (expected is not None and expected.payload != now):
            return False
        self._write(key, None)
        return True

    # Transactions

    @contextmanager
    def transaction(self, *, commits: bool = True) -> Iterator[None]:
        """Commit what is done in the block, or roll it back; a process that dies does neither."""
        self.is_open = True
        try:
            yield
            self._says("commit")
        except BaseException:
            self._end()
            raise
        if commits:
            for key, payload in self.pending.items():
                self.table.rows.pop(key, None)
                if payload is not None:
                    self.table.rows[key] = payload
        actions = self.actions if commits else []
        self._end()
        for action in actions:
            action()

    def _end(self) -> None:
        for key in self.pending:
            del self.table.held[key]
        self.is_open, self.pending, self.actions = False, {}, []

    def reads_committed(self) -> bool:
        return True

    def in_transaction(self) -> bool:
        return self.is_open

    def after_commit(self, action: Callable[[], object]) -> None:
        self.actions.append(action)

    def may_wait(self) -> bool:
        return not self.is_open

    commit: Commit | None = None


class SteppingAdapter(LocMemAdapter):
    """Compares and writes in one step, as Redis does."""

    step: Step = staticmethod(nothing)
    failing: Callable[[str], bool] | None = None

    def _says(self, verb: str) -> None:
        self.step(f"cache {verb}")
        if self.failing is not None and self.failing(verb):
            raise ConnectionError(verb)

    def read(self, name: str) -> Any:
        self._says("read")
        return super().read(name)

    def read_many(self, names: Any) -> list[Any]:
        self._says("read_many")
        return super().read_many(names)

    def insert(self, name: str, raw: Any, age: int | None) -> bool:
        self._says("insert")
        return super().insert(name, raw, age)

    def remove(self, name: str, expected: Any = None) -> bool:
        self._says("remove")
        return super().remove(name, expected)

    def write_if(self, conditions: Any, entries: Any, age: int | None) -> bool:
        self._says("write_if")
        return super().write_if(conditions, entries, age)

    def forget(self, names: Any) -> None:
        self._says("forget")
        for name in names:
            super().remove(name)


class PiecemealAdapter(SteppingAdapter):
    """Compares and writes each entry in a step of its own, as Memcached does."""

    def write_if(self, conditions: Any, entries: Any, age: int | None) -> bool:
        for name in sorted(entries, key=lambda name: name in conditions):
            self._says("write_if")
            condition = {name: conditions[name]} if name in conditions else {}
            if not LocMemAdapter.write_if(self, condition, {name: entries[name]}, age):
                return False
        return True

    def forget(self, names: Any) -> None:
        for name in names:
            self._says("forget")
            LocMemAdapter.remove(self, name)


def new_place() -> str:
    """Return a name under which nobody has a cache in local memory."""
    return f"copies{next(_numbers)}"


def cache_at(place: str, kind: type[SteppingAdapter] = SteppingAdapter) -> Any:
    """Return one more way to the cache of a place."""
    cache: Any = LocMemCache(place, {})
    cache._session_adapter = kind(cache)
    cache.alias = place
    return cache


def storage(rows: Rows, cache: Any, **options: Any) -> CopiedStorage:
    """Return the storage of one session."""

    def name(key: str) -> str:
        return f"{PREFIX}{key}"

    return CopiedStorage(lambda: rows, cache, cache.alias, PREFIX, name, Codec(), **options)


def entries(cache: Any) -> set[str]:
    """Return what sessions have in a cache, without the generation."""
    names = {name.partition(PREFIX)[2] for name in cache._cache if not cache._has_expired(name)}
    return names - {"/generation"}
