"""Memcached through pymemcache: ``gets`` numbers each version, ``cas`` names the number."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import cached_property

from dj_sessions.storage.caches import snapshot
from dj_sessions.storage.caches.any import CacheAdapter
from dj_sessions.storage.caches.names import full_name


@dataclass(frozen=True, slots=True)
class MemcachedEntry:
    """A copy of the data, and Memcached's number of this version of it, where it told one."""

    pickled: bytes
    version: Any = None


class MemcachedAdapter(CacheAdapter):
    """The server compares numbers; what we wrote ourselves has none, and is read again.

    Each command goes to the client of its key's server. What stands before these gives a server
    that has failed no more to do for a while, answers for it as if nothing were stored there, and
    in the end has another one do its work: an outage would end sessions, and a logout be lost.
    """

    atomic = True

    def encode(self, value: Any) -> MemcachedEntry:
        return MemcachedEntry(snapshot.take(value))

    def decode(self, raw: MemcachedEntry) -> Any:
        return snapshot.restore(raw.pickled)

    def place(self, name: str) -> Hashable:
        if len(self.cache._cache.clients) == 1:
            return None
        return self._servers.get_node(self._full(name))  # type: ignore[no-any-return]

    def read(self, name: str) -> MemcachedEntry | None:
        full = self._full(name)
        return self._entry(self._node(full).gets(full))

    def holds(self, name: str) -> bool:
        return self.read(name) is not None

    def insert(self, name: str, raw: MemcachedEntry, age: int | None) -> bool:
        return self._store("add", name, raw, age)

    def replace(
        self, name: str, raw: MemcachedEntry, expected: MemcachedEntry | None, age: int | None
    ) -> bool:
        if expected is None:
            return self._store("replace", name, raw, age)
        if expected.version is None:
            current = self.read(name)
            if current is None or not snapshot.is_same(expected.pickled, current.pickled):
                return False
            expected = current
        return self._store("cas", name, raw, age, expected.version)

    def remove(self, name: str, expected: MemcachedEntry | None = None) -> bool:
        if expected is not None:
            return self.replace(name, expected, expected, 0)
        full = self._full(name)
        return bool(self._node(full).delete(full, noreply=False))

    def move(
        self, name: str, expected: MemcachedEntry | None, lead: str, raw: MemcachedEntry, age: int
    ) -> bool:
        # To go on without the answer would take 40 ms: the system holds the next command back until
        # the server has acknowledged this one, which it does late.
        self.insert(lead, raw, age)
        return self.remove(name, expected)

    def read_many(self, names: Collection[str]) -> list[Any]:
        full, found = [self._full(name) for name in names], {}
        wanted: dict[Any, list[Any]] = {}
        for name in full:
            wanted.setdefault(self._node(name), []).append(name)
        for node, there in wanted.items():
            found.update(node.gets_many(there))
        return [self._entry(found.get(name)) for name in full]

    def write_if(
        self, conditions: Mapping[str, Any], entries: Mapping[str, Any], age: int | None
    ) -> bool:
        """Store the entries one by one: see ``write_one_by_one()``."""
        return self.write_one_by_one(conditions, entries, age)

    def write(self, name: str, raw: MemcachedEntry, age: int | None) -> bool:
        return self._store("set", name, raw, age)

    def forget(self, names: Collection[str]) -> None:
        for name in names:
            self.remove(name)

    def _store(
        self, verb: str, name: str, raw: MemcachedEntry, age: int | None, *version: Any
    ) -> bool:
        full, timeout = self._full(name), self.cache.get_backend_timeout(age)
        store = getattr(self._node(full), verb)
        return bool(store(full, self.decode(raw), *version, expire=timeout, noreply=False))

    def _full(self, name: str) -> Any:
        return full_name(self.cache, name)

    def _node(self, full: Any) -> Any:
        """Return the client of the server that ``full`` belongs to, whether it answers or not."""
        clients = self.cache._cache.clients
        if len(clients) == 1:  # to hash takes longer than the server does
            return next(iter(clients.values()))
        return clients[self._servers.get_node(full)]

    @cached_property
    def _servers(self) -> Any:
        # One of our own: servers that have failed are taken out of the client's.
        client = self.cache._cache
        servers = self.cache._options.get("hasher", type(client.hasher))()
        for server in client.clients:
            servers.add_node(server)
        return servers

    def _entry(self, answer: tuple[Any, Any] | None) -> MemcachedEntry | None:
        data, version = answer or (None, None)
        return None if data is None else MemcachedEntry(snapshot.take(data), version)
