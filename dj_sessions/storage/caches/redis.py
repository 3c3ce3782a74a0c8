"""Redis: the server compares and writes, in one script and one round trip.

Sessions are read where they are written: a replica that is behind would not know the session of
the login a moment ago, and would still know the one that has been ended.
"""

from __future__ import annotations

import pickle
from collections.abc import Collection, Mapping
from typing import Any, Final

from django.core.cache.backends.redis import RedisSerializer
from django.utils.functional import cached_property

from dj_sessions.storage.caches import snapshot
from dj_sessions.storage.caches.any import CacheAdapter, digest
from dj_sessions.storage.caches.connections import kept_client, quick_client
from dj_sessions.storage.caches.made_names import Names
from dj_sessions.storage.caches.names import full_name

#: Writes where the old value is as expected; an age that is over deletes the entry.
REPLACE: Final = """
local current = redis.call('GET', KEYS[1])
if not current or (ARGV[1] == 'expect' and current ~= ARGV[2]) then return 0 end
if tonumber(ARGV[4]) > 0 then
    redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[4])
else
    redis.call('DEL', KEYS[1])
end
return 1
"""

#: Deletes an entry where it is as expected, and leaves another one behind.
MOVE: Final = """
local current = redis.call('GET', KEYS[1])
if not current or (ARGV[1] == 'expect' and current ~= ARGV[2]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[4])
return 1
"""

#: Writes entries where others are as expected. Each letter of ARGV[1] is a condition, on the key in
#: its place: v, it has the value in the same place after ARGV[2]; n, there is nothing.
WRITE_IF: Final = """
local asked = #ARGV[1]
for place = 1, asked do
    local current = redis.call('GET', KEYS[place])
    if ARGV[1]:sub(place, place) == 'n' then
        if current then return 0 end
    elseif current ~= ARGV[2 + place] then
        return 0
    end
end
for place = asked + 1, #KEYS do
    if ARGV[2] == '' then
        redis.call('SET', KEYS[place], ARGV[2 + place])
    elseif tonumber(ARGV[2]) > 0 then
        redis.call('SET', KEYS[place], ARGV[2 + place], 'EX', ARGV[2])
    else
        redis.call('DEL', KEYS[place])
    end
end
return 1
"""


# To go: what copies used before

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


class RedisAdapter(CacheAdapter):
    """Redis through Django's client."""

    atomic = True
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

    def read(self, name: str) -> Any:
        return self.client.get(self.name(name))

    def holds(self, name: str) -> bool:
        return bool(self.client.exists(self.name(name)))

    def insert(self, name: str, raw: Any, age: int | None) -> bool:
        if age is not None and age <= 0:
            return super().insert(name, raw, age)
        return bool(self.client.set(self.name(name), raw, ex=age, nx=True))

    def replace(self, name: str, raw: Any, expected: Any, age: int) -> bool:
        arguments = [*_condition(expected), raw, int(age)]
        return bool(self._run(self._replace, [self.name(name)], arguments))

    def remove(self, name: str, expected: Any = None) -> bool:
        if expected is not None:
            return self.replace(name, expected, expected, 0)
        return bool(self.client.delete(self.name(name)))

    def move(self, name: str, expected: Any, lead: str, raw: Any, age: int) -> bool:
        names = [self.name(name), self.name(lead)]
        return bool(self._run(self._move, names, [*_condition(expected), raw, int(age)]))

    def read_many(self, names: Collection[str]) -> list[Any]:
        return self.client.mget([self.name(name) for name in names])  # type: ignore[no-any-return]

    def write_if(
        self, conditions: Mapping[str, Any], entries: Mapping[str, Any], age: int | None
    ) -> bool:
        asked = "".join("n" if raw is None else "v" for raw in conditions.values())
        expected = ["" if raw is None else raw for raw in conditions.values()]
        names = [self.name(name) for name in (*conditions, *entries)]
        arguments = [asked, "" if age is None else int(age), *expected, *entries.values()]
        return bool(self._run(self._write_if, names, arguments))

    def forget(self, names: Collection[str]) -> None:
        self.client.delete(*(self.name(name) for name in names))

    def name(self, name: str) -> Any:
        """Return the name of an entry as Redis has it."""
        return full_name(self.cache, name)

    @cached_property
    def client(self) -> Any:
        """The client that commands go through."""
        # Django makes one for each command, which takes nearly as long as the command.
        return kept_client(self.cache._cache)

    def _run(self, script: Any, names: list[Any], arguments: list[Any]) -> Any:
        return script(keys=names, args=arguments, client=self.client)

    @cached_property
    def _replace(self) -> Any:
        return self.client.register_script(REPLACE)

    @cached_property
    def _move(self) -> Any:
        return self.client.register_script(MOVE)

    @cached_property
    def _write_if(self) -> Any:
        return self.client.register_script(WRITE_IF)

    # To go: what copies used before

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

    @cached_property
    def _write_copy(self) -> Any:
        return self.client.register_script(WRITE_COPY)

    @cached_property
    def _void_copy(self) -> Any:
        return self.client.register_script(VOID_COPY)


class DjangoRedisAdapter(RedisAdapter):
    """Redis through django-redis."""

    def encode(self, value: Any) -> Any:
        return self.cache.client.encode(value)

    def decode(self, raw: Any) -> Any:
        return self.cache.client.decode(raw) if (mark := _read_mark(raw)) is None else mark

    def name(self, name: str) -> Any:
        return self.cache.client.make_key(name)

    @cached_property
    def client(self) -> Any:
        return quick_client(self.cache.client.get_client(write=True))

    # To go: what copies used before

    def full(self, names: Names) -> list[Any]:
        return [self.name(name) for name in names]


def _as_stored(raw: Any) -> Any:
    """Return the bytes of text: a serializer may write it, and a client decode what it reads."""
    return raw.encode() if isinstance(raw, str) else raw


def _condition(expected: Any) -> tuple[str, Any]:
    return ("any", b"") if expected is None else ("expect", expected)


def _read_mark(raw: Any) -> str | None:  # To go: what copies used before
    raw = _as_stored(raw)
    return raw[len(MARK) :].decode() if raw[: len(MARK)] == MARK else None


class IgnoringAdapter(CacheAdapter):
    """A cache that ignores its errors, through its common API: what it took is read again."""

    def remove(self, name: str, expected: Any = None) -> bool:
        if expected is not None and not snapshot.is_expected(self.read(name), expected):
            return False
        return self._delete(name)

    def write_if(
        self, conditions: Mapping[str, Any], entries: Mapping[str, Any], age: int | None
    ) -> bool:
        if not super().write_if(conditions, entries, age):
            return False
        present = self.read_many(entries)
        if not all(map(snapshot.is_expected, present, entries.values())):
            raise _not_taken()
        return True

    def forget(self, names: Collection[str]) -> None:
        for name in names:
            self._delete(name)

    def _delete(self, name: str) -> bool:
        removed: Any = self.cache.delete(name)
        if removed is None:  # and not False: there was nothing
            raise _not_taken()
        return bool(removed)

    # To go: what copies used before

    def void_copy(self, names: Names, mark: Any, age: int, keep: tuple[Any, ...] = ()) -> None:
        super().void_copy(names, mark, age, keep)
        if self.read(names.voucher) not in (mark, *keep):
            raise _not_taken()


def _not_taken() -> LookupError:
    return LookupError("The cache did not take what it was told of a session.")
