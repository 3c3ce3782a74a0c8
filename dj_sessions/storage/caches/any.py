"""Any cache: reads, compares and writes, in the smallest window that its API allows."""

from __future__ import annotations

import marshal
import pickle
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Final
from weakref import proxy

from dj_sessions._codec import payloads, signed_text
from dj_sessions._codec.payloads import UNREADABLE_PICKLE
from dj_sessions.storage.caches import snapshot

#: So that no other text that the site signs is a digest.
SALT: Final = "dj_sessions.copies"

#: Returns a short text that differs where the content does, and that only the site can make.
digest: Final = partial(signed_text.tag, salt=SALT)


class CacheAdapter:
    """Handles entries as *raw* values.

    That is what the cache stores, or a copy of it that later changes cannot reach.
    """

    #: Whether it compares and writes in one step, for all processes.
    atomic: ClassVar[bool] = False
    #: Whether there is a ``rename()``, and it is one step for all processes.
    atomic_rename: bool = False

    #: What reading raises for what cannot be decoded; empty where it is decoded later.
    unreadable: tuple[type[Exception], ...] = UNREADABLE_PICKLE

    def __init__(self, cache: Any) -> None:
        # The cache keeps its adapter. In a circle they would keep each other, and connections with
        # them, after the request under ASGI whose own they were.
        self.cache = proxy(cache)

    def encode(self, value: Any) -> Any:
        """Return the raw value of ``value``; raises what the cache's serializer raises."""
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)

    def decode(self, raw: Any) -> Any:
        """Return the value of a raw one, a new copy each time."""
        return pickle.loads(raw)  # noqa: S301 # made by encode(), or by the cache itself

    def session_in(self, raw: Any) -> dict[str, Any] | None:
        """Return the data of a session, a new copy each time; None, and logged, if it is none."""
        data: dict[str, Any] | None = self.value_in(raw, dict)
        return data

    def value_in(self, raw: Any, *types: type, key: str | None = None) -> Any:
        """Return the value of a session, of one of ``types``; None, and logged, if it is none.

        ``key`` is that of the session, where it is known.
        """
        try:
            data = self.decode(raw)
        except UNREADABLE_PICKLE as error:
            report_unreadable(error, key)
            return None
        if isinstance(data, types):
            return data
        payloads.report_corruption(f"the cache holds a {type(data).__name__} in its place", key)
        return None

    def comparable(self, raw: Any) -> bytes:
        """Return bytes that two raw values share if they hold the same."""
        value = self.decode(raw)
        try:
            return marshal.dumps(value, 2)  # the last version without references
        except ValueError:  # no plain data
            return snapshot.take(value)

    @staticmethod
    def tag(content: bytes) -> str:
        """Return a digest of ``content`` that nobody but the site can make who writes here."""
        return digest(content)

    def place(self, name: str) -> Hashable:
        """Return which server of several the entry ``name`` belongs to; None if there is one."""
        return None

    # One entry

    def read(self, name: str) -> Any:
        """Return the raw value under ``name``, or None."""
        data = self.cache.get(name)
        return None if data is None else self.encode(data)

    def seconds_left(self, name: str) -> float | None:
        """Return for how long an entry stays, None if the cache does not tell."""
        return None

    def holds(self, name: str) -> bool:
        """Return whether anything is stored under ``name``."""
        return bool(self.cache.has_key(name))

    def insert(self, name: str, raw: Any, age: int | None) -> bool:
        """Store ``raw`` for ``age`` seconds (None: for ever) where there is nothing.

        Return whether it did.
        """
        return bool(self.cache.add(name, self.decode(raw), age))

    def replace(self, name: str, raw: Any, expected: Any, age: int | None) -> bool:
        """Store ``raw`` over ``expected`` (None: over anything); return whether it did."""
        current = self.read(name)
        if current is None or not (expected is None or snapshot.is_same(expected, current)):
            return False
        self.cache.set(name, self.decode(raw), age)
        return True

    def remove(self, name: str, expected: Any = None) -> bool:
        """Delete what is stored if it is ``expected`` (None: anything); return whether it was.

        Some caches do not say whether there was anything: then there was.
        """
        if expected is not None and not snapshot.is_expected(self.read(name), expected):
            return False
        removed: Any = self.cache.delete(name)
        return removed is None or bool(removed)

    # An entry, and what it leaves behind when it moves

    def read_either(self, name: str, lead: str) -> tuple[Any, Any]:
        """Return the raw value under ``name``, and where there is none that under ``lead``."""
        raw = self.read(name)
        return raw, self.read(lead) if raw is None else None

    def move(self, name: str, expected: Any, lead: str, raw: Any, age: int) -> bool:
        """Delete what is stored under ``name`` if it is ``expected`` (None: anything).

        Store ``raw`` under ``lead`` then; return whether it did.
        """
        # First, as it counts for nothing while the entry is there: what fails has then changed
        # nothing. And only once: whoever comes second shall not hide the lead of the first.
        self.cache.add(lead, self.decode(raw), age)
        return self.remove(name, expected)

    def rename(self, name: str, new: str, raw: Any, expected: Any, age: int | None) -> bool:
        """Delete what is stored under ``name`` if it is ``expected`` (None: anything).

        Store ``raw`` under ``new`` then, if there is nothing, in the same step. Return whether both
        was done.
        """
        raise NotImplementedError("This cache cannot rename an entry in one step.")

    # Several entries

    def read_many(self, names: Collection[str]) -> list[Any]:
        """Return the raw values under ``names``, in their order, None where there is nothing."""
        found = self.cache.get_many(names)
        return [self.encode(found[name]) if name in found else None for name in names]

    def write_if(
        self, conditions: Mapping[str, Any], entries: Mapping[str, Any], age: int | None
    ) -> bool:
        """Store all ``entries`` if under each name of ``conditions`` is what they say.

        None stands for nothing there. Return whether the entries were stored. Entries with a
        condition are stored last, which matters to readers where it is not one step.
        """
        current = self.read_many(conditions) if conditions else []
        if not all(map(snapshot.is_expected, current, conditions.values())):
            return False
        return all(self.write(name, entries[name], age) for name in _last(conditions, entries))

    def write_one_by_one(
        self, conditions: Mapping[str, Any], entries: Mapping[str, Any], age: int | None
    ) -> bool:
        """Do as ``write_if()`` where one step takes in one entry alone.

        The entries without a condition are stored first, so that they are there when one with a
        condition is. A condition on an entry that is not stored is not asked. Where one is refused,
        what was stored before it is deleted.
        """
        done: list[str] = []
        for name in _last(conditions, entries):
            raw, expected = entries[name], conditions.get(name)
            if name not in conditions:
                stored = self.write(name, raw, age)
            elif expected is None:
                stored = self.insert(name, raw, age)
            else:
                stored = self.replace(name, raw, expected, age)
            if not stored:
                if done:
                    self.forget(done)
                return False
            done.append(name)
        return True

    def write(self, name: str, raw: Any, age: int | None) -> bool:
        """Store ``raw`` whatever there is; return whether the cache took it, as far as it says."""
        self.cache.set(name, self.decode(raw), age)
        return True

    def listed(self, name: Callable[[str], str]) -> Iterator[str]:
        """Yield the keys for which something is stored under ``name(key)``.

        Raises NotImplementedError for a cache that does not list what it has.
        """
        raise NotImplementedError("This cache cannot list its entries")

    def forget(self, names: Collection[str]) -> None:
        """Delete what is stored under ``names``; raises if the cache did not do it."""
        self.cache.delete_many(names)


def report_unreadable(error: Exception, key: str | None = None) -> None:
    """Log that what a cache has for a session cannot be read."""
    payloads.report_corruption(f"the cache cannot read it ({type(error).__name__})", key)


def _last(conditions: Mapping[str, Any], entries: Mapping[str, Any]) -> list[str]:
    """Return the names of ``entries``, those that have a condition of their own at the end."""
    return sorted(entries, key=lambda name: name in conditions)
