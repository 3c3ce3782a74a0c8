"""Memcached through pymemcache: ``gets`` numbers each version, ``cas`` names the number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import cached_property

from dj_sessions.storage.caches import snapshot
from dj_sessions.storage.caches.any import CacheSwap, Names, full_name

#: Each attempt fails because somebody else's mark was stored, so a few may follow each other.
MARK_ATTEMPTS: Final = 16


@dataclass(frozen=True, slots=True)
class MemcachedEntry:
    """A copy of the data, and Memcached's number of this version of it, where it told one."""

    pickled: bytes
    version: Any = None


class MemcachedSwap(CacheSwap):
    """The server compares numbers; what we wrote ourselves has none, and is read again.

    Each command goes to the client of its key's server. What stands before these gives a server
    that has failed no more to do for a while, answers for it as if nothing were stored there, and
    in the end has another one do its work: an outage would end sessions, and a logout be lost.
    """

    def encode(self, value: Any) -> MemcachedEntry:
        return MemcachedEntry(snapshot.take(value))

    def decode(self, raw: MemcachedEntry) -> Any:
        return snapshot.restore(raw.pickled)

    def read(self, key: str) -> MemcachedEntry | None:
        name = self._name(key)
        return self._entry(self._node(name).gets(name))

    def holds(self, key: str) -> bool:
        return self.read(key) is not None

    def insert(self, key: str, raw: MemcachedEntry, age: int | None) -> bool:
        return self._store("add", key, raw, age)

    def swap(
        self, key: str, raw: MemcachedEntry, expected: MemcachedEntry | None, age: int
    ) -> bool:
        if expected is None:
            return self._store("replace", key, raw, age)
        if expected.version is None:
            current = self.read(key)
            if current is None or not snapshot.is_same(expected.pickled, current.pickled):
                return False
            expected = current
        return self._store("cas", key, raw, age, expected.version)

    def take(self, key: str, expected: MemcachedEntry) -> bool:
        return self.swap(key, expected, expected, 0)

    def move(
        self, key: str, expected: MemcachedEntry | None, lead: str, raw: MemcachedEntry, age: int
    ) -> bool:
        name, timeout = self._name(lead), self.cache.get_backend_timeout(age)
        # Without waiting for an answer, on which nothing depends.
        self._node(name).add(name, self.decode(raw), expire=timeout, noreply=True)
        return self.remove(key) if expected is None else self.take(key, expected)

    def remove(self, key: str) -> bool:
        name = self._name(key)
        return bool(self._node(name).delete(name, noreply=False))

    def read_copy(self, names: Names) -> list[Any]:
        full, found = self.full(names), {}
        wanted: dict[Any, list[Any]] = {}
        for name in full:
            wanted.setdefault(self._node(name), []).append(name)
        for node, there in wanted.items():
            found.update(node.gets_many(there))
        return [self._entry(found.get(name)) for name in full]

    def write_copy(
        self, names: Names, entries: tuple[Any, Any, Any], expected: Any, age: int
    ) -> bool | None:
        # Nobody believes a copy that does not fit the voucher. Whether the generation is the
        # present one is not asked: if not, nobody believes it either.
        copy, voucher, _ = entries
        self._store("set", names.copy, copy, age)
        if expected is None:
            return self.insert(names.voucher, voucher, age)
        return self.swap(names.voucher, voucher, expected, age)

    def void_copy(self, names: Names, mark: Any, age: int, keep: tuple[Any, ...] = ()) -> None:
        if keep:
            self._mark_unless_kept(names.voucher, mark, age, keep)
        else:
            self._store("set", names.voucher, mark, age)
        self.remove(names.copy)

    def _mark_unless_kept(self, key: str, mark: Any, age: int, keep: tuple[Any, ...]) -> None:
        if not any(self._mark(key, mark, age, keep) for _ in range(MARK_ATTEMPTS)):
            raise ConnectionError(f"Memcached refused {MARK_ATTEMPTS} times to store a mark")

    def _mark(self, key: str, mark: Any, age: int, keep: tuple[Any, ...]) -> bool:
        """Store ``mark``; tell whether it is there, or something to keep, and nothing between."""
        current = self.read(key)
        if current is None:
            return self.insert(key, mark, age)
        if any(snapshot.is_same(entry.pickled, current.pickled) for entry in keep):
            return True
        return self.swap(key, mark, current, age)

    def _store(
        self, verb: str, key: str, raw: MemcachedEntry, age: int | None, *version: Any
    ) -> bool:
        name, timeout = self._name(key), self.cache.get_backend_timeout(age)
        store = getattr(self._node(name), verb)
        return bool(store(name, self.decode(raw), *version, expire=timeout, noreply=False))

    def _name(self, key: str) -> Any:
        return full_name(self.cache, key)

    def _node(self, name: Any) -> Any:
        """Return the client of the server that ``name`` belongs to, whether it answers or not."""
        clients = self.cache._cache.clients
        if len(clients) == 1:  # to hash takes longer than the server does
            return next(iter(clients.values()))
        return clients[self._servers.get_node(name)]

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
