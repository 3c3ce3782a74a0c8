"""Redis and Valkey: the server compares and writes in one step.

Sessions are read where they are written: a replica that is behind would not know the session of
the login a moment ago, and would still know the one that has been ended.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from django.core.cache.backends.redis import RedisSerializer
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import cached_property

from dj_sessions.storage.caches.any import CacheAdapter
from dj_sessions.storage.caches.connections import kept_beside, kept_client
from dj_sessions.storage.caches.names import full_name
from dj_sessions.storage.caches.redis_steps import (
    ANYTHING,
    DELETE,
    Change,
    Steps,
    as_bytes,
    is_cluster,
)
from dj_sessions.storage.listing import beginning, scanned


class RedisAdapter(CacheAdapter):
    """Redis through Django's client.

    In a cluster entries are in different places: a step takes in one of them, and what is about
    several is done one by one.
    """

    atomic = True
    unreadable = ()

    def encode(self, value: Any) -> Any:
        raw = self.cache._cache._serializer.dumps(value)
        return raw.encode() if isinstance(raw, str) else raw

    def decode(self, raw: Any) -> Any:
        serializer = self.cache._cache._serializer
        # Django's tries whether it is a number, and to find that it is none takes longer than this.
        if type(serializer) is RedisSerializer and raw[:1] == pickle.PROTO:
            return pickle.loads(raw)  # noqa: S301 # as Django does
        return serializer.loads(raw)

    def comparable(self, raw: Any) -> bytes:
        return as_bytes(raw)

    def read(self, name: str) -> Any:
        return self.client.get(self.name(name))

    def seconds_left(self, name: str) -> float | None:
        left = self.client.pttl(self.name(name))
        return left / 1000 if left >= 0 else None

    def holds(self, name: str) -> bool:
        return bool(self.client.exists(self.name(name)))

    def insert(self, name: str, raw: Any, age: int | None) -> bool:
        if age is not None and age <= 0:
            return super().insert(name, raw, age)
        return bool(self.client.set(self.name(name), raw, ex=age, nx=True))

    def replace(self, name: str, raw: Any, expected: Any, age: int | None) -> bool:
        full = self.name(name)
        return self._steps.apply({full: _or_anything(expected)}, {full: Change(raw, age)})

    def remove(self, name: str, expected: Any = None) -> bool:
        full = self.name(name)
        if expected is None:
            return bool(self.client.delete(full))
        return self._steps.apply({full: expected}, {full: DELETE})

    def move(self, name: str, expected: Any, lead: str, raw: Any, age: int) -> bool:
        if self._is_cluster:
            self.insert(lead, raw, age)  # first, as in any cache
            return self.remove(name, expected)
        full = self.name(name)
        changes = {full: DELETE, self.name(lead): Change(raw, age)}
        return self._steps.apply({full: _or_anything(expected)}, changes)

    @property
    def atomic_rename(self) -> bool:  # type: ignore[override] # it depends on the client
        """Whether both names are on one server."""
        return not self._is_cluster

    def rename(self, name: str, new: str, raw: Any, expected: Any, age: int | None) -> bool:
        full, renamed = self.name(name), self.name(new)
        conditions = {full: _or_anything(expected), renamed: None}
        return self._steps.apply(conditions, {full: DELETE, renamed: Change(raw, age)})

    def read_many(self, names: Collection[str]) -> list[Any]:
        read = self.client.mget_nonatomic if self._is_cluster else self.client.mget
        return read([self.name(name) for name in names])  # type: ignore[no-any-return]

    def write_if(
        self, conditions: Mapping[str, Any], entries: Mapping[str, Any], age: int | None
    ) -> bool:
        """Store the entries in one step, and in a cluster one by one: see ``write_one_by_one``."""
        if self._is_cluster:
            return self.write_one_by_one(conditions, entries, age)
        changes = {self.name(name): Change(raw, age) for name, raw in entries.items()}
        expected = {self.name(name): raw for name, raw in conditions.items()}
        return self._steps.apply(expected, changes)

    def write(self, name: str, raw: Any, age: int | None) -> bool:
        return self._steps.apply({}, {self.name(name): Change(raw, age)})

    def listed(self, name: Callable[[str], str]) -> Iterator[str]:
        return scanned(self.client, beginning(lambda key: str(self.name(name(key)))))

    def forget(self, names: Collection[str]) -> None:
        self.client.delete(*(self.name(name) for name in names))

    def name(self, name: str) -> Any:
        """Return the name of an entry as Redis has it."""
        return full_name(self.cache, name)

    @cached_property
    def client(self) -> Any:
        """The client that commands go through."""
        client = self._find_client()
        if client.get_encoder().decode_responses and not _is_text(self.encode({})):
            raise ImproperlyConfigured(
                "The cache's client has the option decode_responses, which needs text, and its "
                "serializer or compressor writes bytes. Remove decode_responses from its OPTIONS, "
                "or choose a serializer that writes text."
            )
        return client

    def _find_client(self) -> Any:
        # Django makes one for each command, which takes nearly as long as the command.
        return kept_client(self.cache._cache)

    @cached_property
    def _is_cluster(self) -> bool:
        return is_cluster(self.client)

    @property
    def runs_scripts(self) -> bool:
        """Whether the server runs scripts, as far as is known."""
        return self._steps.runs_scripts

    @cached_property
    def _steps(self) -> Steps:
        return Steps(self.client)


class DjangoRedisAdapter(RedisAdapter):
    """Redis through django-redis, or Valkey through django-valkey."""

    def encode(self, value: Any) -> Any:
        return self.cache.client.encode(value)

    def decode(self, raw: Any) -> Any:
        return self.cache.client.decode(raw)

    def name(self, name: str) -> Any:
        return self.cache.client.make_key(name)

    def _find_client(self) -> Any:
        return kept_beside(self.cache.client.get_client(write=True))


def _or_anything(expected: Any) -> Any:
    return ANYTHING if expected is None else expected


def _is_text(raw: Any) -> bool:
    try:
        as_bytes(raw).decode()
    except UnicodeDecodeError:
        return False
    return True
