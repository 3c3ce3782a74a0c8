"""Any cache: reads, compares and writes, in the smallest window that its API allows."""

from __future__ import annotations

import marshal
import warnings
from typing import Any, Final, NamedTuple
from weakref import proxy

from django.core.cache import BaseCache
from django.core.cache.backends.base import (
    CacheKeyWarning,
    InvalidCacheKey,
    memcache_key_warnings,
)

from dj_sessions._codec import signed_text
from dj_sessions._codec.payloads import UNREADABLE_PICKLE
from dj_sessions.storage.caches import snapshot

#: So that no other text that the site signs is a digest.
SALT: Final = "dj_sessions.copies"


class Names(NamedTuple):
    """The cache keys of a copy, of its voucher and of the generation: see ``_copies.py``."""

    copy: str
    voucher: str
    generation: str


class CacheSwap:
    """An adapter handles entries as *raw* values: what the cache stores, or a copy of it that
    later changes cannot reach.
    """

    #: What reading raises for what cannot be decoded; empty where it is decoded later.
    unreadable: tuple[type[Exception], ...] = UNREADABLE_PICKLE

    def __init__(self, cache: Any) -> None:
        # The cache keeps its adapter. In a circle they would keep each other, and connections with
        # them, after the request under ASGI whose own they were.
        self.cache = proxy(cache)

    def encode(self, value: Any) -> Any:
        """Return the raw value of ``value``; raises what the cache's serializer raises."""
        return snapshot.take(value)

    def decode(self, raw: Any) -> Any:
        """Return the value of a raw one, a new copy each time."""
        return snapshot.restore(raw)

    def fingerprint(self, raw: Any) -> str:
        """Return a digest that two raw values share if they hold the same."""
        value = self.decode(raw)
        try:
            return digest(marshal.dumps(value, 2))  # the last version without references
        except ValueError:  # no plain data
            return digest(snapshot.take(value))

    # One entry

    def read(self, key: str) -> Any:
        """Return the raw value under ``key``, or None."""
        data = self.cache.get(key)
        return None if data is None else self.encode(data)

    def holds(self, key: str) -> bool:
        """Tell whether anything is stored under ``key``."""
        return bool(self.cache.has_key(key))

    def insert(self, key: str, raw: Any, age: int | None) -> bool:
        """Store ``raw`` for ``age`` seconds (None: for ever) where there is nothing.

        Tell whether it did.
        """
        return bool(self.cache.add(key, self.decode(raw), age))

    def swap(self, key: str, raw: Any, expected: Any, age: int) -> bool:
        """Store ``raw`` over ``expected`` (None: over anything); tell whether it did."""
        current = self.read(key)
        if current is None or not (expected is None or snapshot.is_same(expected, current)):
            return False
        self.cache.set(key, self.decode(raw), age)
        return True

    def remove(self, key: str) -> bool:
        """Forget what is stored; tell whether there was anything, as far as the cache says."""
        removed: Any = self.cache.delete(key)
        return removed is None or bool(removed)

    def take(self, key: str, expected: Any) -> bool:
        """Forget what is stored if it is ``expected``; tell whether it was."""
        current = self.read(key)
        return _is_expected(current, expected) and self.remove(key)

    # An entry, and what it leaves behind when it moves

    def read_either(self, key: str, lead: str) -> tuple[Any, Any]:
        """Return the raw value under ``key``, and where there is none that under ``lead``."""
        raw = self.read(key)
        return raw, self.read(lead) if raw is None else None

    def move(self, key: str, expected: Any, lead: str, raw: Any, age: int) -> bool:
        """Forget what is stored under ``key`` if it is ``expected`` (None: anything).

        Store ``raw`` under ``lead`` then; return whether it did.
        """
        # First, as it counts for nothing while the entry is there: what fails has then changed
        # nothing. And only once: whoever comes second shall not hide the lead of the first.
        self.cache.add(lead, self.decode(raw), age)
        return self.remove(key) if expected is None else self.take(key, expected)

    # A copy with its voucher

    def read_copy(self, names: Names) -> list[Any]:
        """Return the raw values under all three names, or None."""
        found = self.cache.get_many(names)
        return [self.encode(found[name]) if name in found else None for name in names]

    def write_copy(
        self, names: Names, entries: tuple[Any, Any, Any], expected: Any, age: int
    ) -> bool | None:
        """Store copy and voucher if the voucher is ``expected`` (None: missing).

        Return None if the generation, the third of the entries, is not the present one.
        """
        copy, voucher, generation = entries
        _, present, word = self.read_copy(names)
        if not _is_expected(word, generation):
            return None
        if not _is_expected(present, expected):
            return False
        self.cache.set(names.copy, self.decode(copy), age)
        self.cache.set(names.voucher, self.decode(voucher), age)
        return True

    def void_copy(self, names: Names, mark: Any, age: int, keep: tuple[Any, ...] = ()) -> None:
        """Store ``mark`` in the voucher's place, unless one of ``keep`` is; drop the copy."""
        if self.read(names.voucher) not in keep:
            self.cache.set(names.voucher, self.decode(mark), age)
        self.cache.delete(names.copy)

    def full(self, names: Names) -> list[Any]:
        """Return the names as the cache has them; the longest, of the voucher, is checked."""
        make = self.cache.make_key
        voucher = full_name(self.cache, names.voucher)
        return [make(names.copy), voucher, make(names.generation)]


def _is_expected(current: Any, expected: Any) -> bool:
    if current is None or expected is None:
        return current is expected
    return snapshot.is_same(expected, current)


def full_name(cache: Any, name: str) -> Any:
    """Return the name as the cache has it; what it has against that, it says without the name."""
    kind = cache.__class__  # and not type(), which of a weak reference is another
    if kind.make_and_validate_key is not BaseCache.make_and_validate_key:
        return cache.make_and_validate_key(name)
    full = cache.make_key(name)
    if kind.validate_key is BaseCache.validate_key:
        for objection in memcache_key_warnings(full):
            warnings.warn(_without(full, objection), CacheKeyWarning, stacklevel=2)
        return full
    try:
        cache.validate_key(full)
    except InvalidCacheKey as error:
        raise InvalidCacheKey(_without(full, str(error))) from None
    return full


def _without(name: str, text: str) -> str:
    """Return ``text`` without the name of a session's entry: it has the session key in it."""
    return text.replace(repr(name), "the name of a session").replace(name, "…")


def digest(content: bytes) -> str:
    """Return a short text that differs where the content does, and that only the site can make."""
    return signed_text.tag(content, SALT)
