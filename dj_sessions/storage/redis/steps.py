"""A change of one entry, made in one step where the entry is as expected."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha1
from typing import Any, Final, NamedTuple

from redis.exceptions import ClusterCrossSlotError, NoScriptError, ResponseError

from dj_sessions._codec import forwards

MARK: Final = forwards.MARK.encode()
_EVAL: Final = re.compile(r"\beval(sha)?\b", re.IGNORECASE)

#: Where there are only a value and its lifetime, any session is expected; a forward is none. An
#: entry that has the new value already, be it under its new name, was written by an attempt whose
#: answer was lost: it is written again.
SCRIPT: Final = f"""
local current, taken = redis.call('GET', KEYS[1]), KEYS[2] and redis.call('GET', KEYS[2])
if taken then
    if current or ARGV[2] == '0' or taken ~= ARGV[1] then return 0 end
elseif not current then
    return 0
elseif ARGV[2] == '0' or current ~= ARGV[1] then
    if #ARGV == 2 then
        if current:sub(1, {len(MARK)}) == '{forwards.MARK}' then return 0 end
    elseif current ~= ARGV[3] then
        return 0
    end
end
if KEYS[2] or ARGV[2] == '0' then
    redis.call('DEL', KEYS[1])
end
if ARGV[2] ~= '0' then
    redis.call('SET', KEYS[#KEYS], ARGV[1], 'PX', ARGV[2])
end
return 1
"""
DIGEST: Final = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()


class Step(NamedTuple):
    """Put ``value`` in place of ``expected`` for ``lifetime`` milliseconds; 0: remove that.

    None as ``expected`` stands for any session. With a name that is ``new`` the entry gets that,
    if nothing has it.
    """

    name: str
    value: bytes
    lifetime: int
    expected: bytes | None = None
    new: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the entry has before and after."""
        return (self.name,) if self.new is None else (self.name, self.new)

    @property
    def ends_any(self) -> bool:
        """Whether any session is to be removed."""
        return not self.lifetime and self.expected is None and self.new is None

    def script(self) -> tuple[Any, ...]:
        """Return the command that runs the script, which the server has."""
        return "EVALSHA", DIGEST, *self._arguments()

    def new_script(self) -> tuple[Any, ...]:
        """Return the command that runs the script and leaves it with the server."""
        return "EVAL", SCRIPT, *self._arguments()

    def _arguments(self) -> tuple[Any, ...]:
        call = len(self.names), *self.names, self.value, self.lifetime
        return call if self.expected is None else (*call, self.expected)

    def fits(self, current: bytes | str | None, taken: bytes | str | None = None) -> bool:
        """Return whether an entry is as expected, or as an attempt left it.

        ``taken`` is what has the new name.
        """
        if taken is not None:
            return current is None and self._is_done(_raw(taken))
        if current is None:
            return False
        raw = _raw(current)
        if self._is_done(raw):
            return True
        return not raw.startswith(MARK) if self.expected is None else raw == self.expected

    def _is_done(self, raw: bytes) -> bool:
        return bool(self.lifetime) and raw == self.value

    def commands(self) -> Iterator[tuple[Any, ...]]:
        """Yield the plain commands that make the change."""
        if self.new is not None or not self.lifetime:
            yield "DEL", self.name
        if self.lifetime:
            yield "SET", self.names[-1], self.value, "PX", self.lifetime


def refuses_scripts(error: ResponseError) -> bool:
    """Return whether the server, its ACL or a proxy has refused ``EVALSHA`` or ``EVAL``."""
    return not isinstance(error, NoScriptError) and bool(_EVAL.search(str(error)))


def are_apart(error: ResponseError) -> bool:
    """Return whether a cluster has refused a command, as its names are in different slots."""
    return isinstance(error, ClusterCrossSlotError) or str(error).startswith("CROSSSLOT")


def _raw(found: bytes | str) -> bytes:
    return found.encode() if isinstance(found, str) else found
