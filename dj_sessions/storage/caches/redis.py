"""Redis: the server compares and writes, in one script and one round trip.

Sessions are read where they are written: a replica that is behind would not know the session of
the login a moment ago, and would still know the one that has been ended.
"""

from __future__ import annotations

import pickle
from typing import Any, Final

from django.core.cache.backends.redis import RedisSerializer
from django.utils.functional import cached_property

from dj_sessions.storage.caches.any import CacheSwap, Names, digest, full_name
from dj_sessions.storage.caches.connections import kept_client, quick_client

#: Writes where the old value is as expected; an age that is over forgets the entry.
SWAP: Final = """
local current = redis.call('GET', KEYS[1])
if not current or (ARGV[1] == 'expect' and current ~= ARGV[2]) then return 0 end
if tonumber(ARGV[4]) > 0 then
    redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[4])
else
    redis.call('DEL', KEYS[1])
end
return 1
"""

#: Forgets an entry where it is as expected, and leaves another one behind.
MOVE: Final = """
local current = redis.call('GET', KEYS[1])
if not current or (ARGV[1] == 'expect' and current ~= ARGV[2]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[4])
return 1
"""

#: Writes a copy and its voucher where the voucher is as expected, or expectedly missing.
WRITE_COPY: Final = """
local voucher, generation = unpack(redis.call('MGET', KEYS[2], KEYS[3]))
if generation ~= ARGV[3] then return -1 end
if ARGV[4] == 'expect' then
    if voucher ~= ARGV[5] then return 0 end
elseif voucher then
    return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[6])
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[6])
return 1
"""

#: Marks the voucher, unless it has one of the marks to keep, and drops the copy.
VOID_COPY: Final = """
local current, kept = redis.call('GET', KEYS[2]), false
for position = 3, #ARGV do kept = kept or current == ARGV[position] end
if not kept then redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2]) end
redis.call('DEL', KEYS[1])
"""


#: What the marks in the place of a voucher begin with. They are compared in the server, so they go
#: past serializers and compressors, which may write one text in various bytes.
MARK: Final = b"dj_sessions "


class RedisSwap(CacheSwap):
    """Redis through Django's client."""

    unreadable = ()

    def encode(self, value: Any) -> Any:
        return _as_stored(self.cache._cache._serializer.dumps(value))

    def decode(self, raw: Any) -> Any:
        serializer = self.cache._cache._serializer
        # Django's tries whether it is a number, and to find that it is none takes longer than this.
        if type(serializer) is RedisSerializer and raw[:1] == pickle.PROTO:
            return pickle.loads(raw)  # noqa: S301 # as Django does
        return serializer.loads(raw) if (mark := _read_mark(raw)) is None else mark

    def fingerprint(self, raw: Any) -> str:
        return digest(_as_stored(raw))

    def read(self, key: str) -> Any:
        return self.client.get(self.name(key))

    def holds(self, key: str) -> bool:
        return bool(self.client.exists(self.name(key)))

    def insert(self, key: str, raw: Any, age: int | None) -> bool:
        if age is not None and age <= 0:
            return super().insert(key, raw, age)
        return bool(self.client.set(self.name(key), raw, ex=age, nx=True))

    def swap(self, key: str, raw: Any, expected: Any, age: int) -> bool:
        old = ("any", b"") if expected is None else ("expect", expected)
        return bool(self._run(self._swap, [self.name(key)], [*old, raw, int(age)]))

    def remove(self, key: str) -> bool:
        return bool(self.client.delete(self.name(key)))

    def take(self, key: str, expected: Any) -> bool:
        return self.swap(key, expected, expected, 0)

    def move(self, key: str, expected: Any, lead: str, raw: Any, age: int) -> bool:
        old = ("any", b"") if expected is None else ("expect", expected)
        names = [self.name(key), self.name(lead)]
        return bool(self._run(self._move, names, [*old, raw, int(age)]))

    def read_copy(self, names: Names) -> list[Any]:
        return self.client.mget(self.full(names))  # type: ignore[no-any-return]

    def write_copy(
        self, names: Names, entries: tuple[Any, Any, Any], expected: Any, age: int
    ) -> bool | None:
        old = ("missing", b"") if expected is None else ("expect", expected)
        answer = self._run(self._write_copy, self.full(names), [*entries, *old, int(age)])
        return None if answer < 0 else bool(answer)

    def void_copy(self, names: Names, mark: Any, age: int, keep: tuple[Any, ...] = ()) -> None:
        mark, *kept = (MARK + self.decode(raw).encode() for raw in (mark, *keep))
        self._run(self._void_copy, self.full(names), [mark, int(age), *kept])

    def name(self, key: str) -> Any:
        """Return the key of an entry as Redis has it."""
        return full_name(self.cache, key)

    @cached_property
    def client(self) -> Any:
        """The client that commands go through."""
        # Django makes one for each command, which takes nearly as long as the command.
        return kept_client(self.cache._cache)

    def _run(self, script: Any, names: list[Any], arguments: list[Any]) -> Any:
        return script(keys=names, args=arguments, client=self.client)

    @cached_property
    def _swap(self) -> Any:
        return self.client.register_script(SWAP)

    @cached_property
    def _move(self) -> Any:
        return self.client.register_script(MOVE)

    @cached_property
    def _write_copy(self) -> Any:
        return self.client.register_script(WRITE_COPY)

    @cached_property
    def _void_copy(self) -> Any:
        return self.client.register_script(VOID_COPY)


class DjangoRedisSwap(RedisSwap):
    """Redis through django-redis."""

    def encode(self, value: Any) -> Any:
        return self.cache.client.encode(value)

    def decode(self, raw: Any) -> Any:
        return self.cache.client.decode(raw) if (mark := _read_mark(raw)) is None else mark

    def name(self, key: str) -> Any:
        return self.cache.client.make_key(key)

    def full(self, names: Names) -> list[Any]:
        return [self.name(name) for name in names]

    @cached_property
    def client(self) -> Any:
        return quick_client(self.cache.client.get_client(write=True))


def _as_stored(raw: Any) -> Any:
    """Return the bytes of text: a serializer may write it, and a client decode what it reads."""
    return raw.encode() if isinstance(raw, str) else raw


def _read_mark(raw: Any) -> str | None:
    raw = _as_stored(raw)
    return raw[len(MARK) :].decode() if raw[: len(MARK)] == MARK else None


class IgnoringSwap(CacheSwap):
    """A cache that ignores its errors, through its common API: what it took is read again."""

    def void_copy(self, names: Names, mark: Any, age: int, keep: tuple[Any, ...] = ()) -> None:
        super().void_copy(names, mark, age, keep)
        if self.read(names.voucher) not in (mark, *keep):
            raise LookupError("The cache did not take what it was told of a session.")
