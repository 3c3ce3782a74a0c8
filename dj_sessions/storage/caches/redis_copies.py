"""To go: what copies on Redis used before."""

from __future__ import annotations

from typing import Any, Final

from django.utils.functional import cached_property

from dj_sessions.storage.caches.any import CacheAdapter
from dj_sessions.storage.caches.made_names import Names

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


class RedisCopies(CacheAdapter):
    """The adapter's part for copies, which goes past serializers and compressors."""

    client: Any

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

    def _run(self, script: Any, names: list[Any], arguments: list[Any]) -> Any:
        return script(keys=names, args=arguments, client=self.client)


def read_mark(raw: Any) -> str | None:
    """Return the text of a mark, None for anything else."""
    raw = raw.encode() if isinstance(raw, str) else raw
    return raw[len(MARK) :].decode() if raw[: len(MARK)] == MARK else None
