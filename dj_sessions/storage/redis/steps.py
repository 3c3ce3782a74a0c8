"""A change of one entry, made in one step where the entry is as expected."""

from __future__ import annotations

from hashlib import sha1
from typing import Any, Final, NamedTuple

from redis.exceptions import NoScriptError, ResponseError

from dj_sessions._codec import forwards

MARK: Final = forwards.MARK.encode()

#: Where there are only a value and its lifetime, any session is expected; a forward is none. An
#: entry that has the new value already was written by an attempt whose answer was lost: it is
#: written again.
SCRIPT: Final = f"""
local current = redis.call('GET', KEYS[1])
if not current then return 0 end
if ARGV[2] == '0' or current ~= ARGV[1] then
    if #ARGV == 2 then
        if current:sub(1, {len(MARK)}) == '{forwards.MARK}' then return 0 end
    elseif current ~= ARGV[3] then
        return 0
    end
end
if ARGV[2] == '0' then
    redis.call('DEL', KEYS[1])
else
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
"""
DIGEST: Final = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()


class Step(NamedTuple):
    """Put ``value`` in place of ``expected`` for ``lifetime`` milliseconds; 0: remove that.

    None as ``expected`` stands for any session.
    """

    value: bytes
    lifetime: int
    expected: bytes | None = None

    def script(self, name: str) -> tuple[Any, ...]:
        """Return the command that runs the script, which the server has."""
        return "EVALSHA", DIGEST, *self._arguments(name)

    def new_script(self, name: str) -> tuple[Any, ...]:
        """Return the command that runs the script and leaves it with the server."""
        return "EVAL", SCRIPT, *self._arguments(name)

    def _arguments(self, name: str) -> tuple[Any, ...]:
        if self.expected is None:
            return 1, name, self.value, self.lifetime
        return 1, name, self.value, self.lifetime, self.expected

    def fits(self, current: bytes | str | None) -> bool:
        """Return whether an entry is as expected, or as an attempt left it."""
        if current is None:
            return False
        raw = current.encode() if isinstance(current, str) else current
        if self.lifetime and raw == self.value:
            return True
        return not raw.startswith(MARK) if self.expected is None else raw == self.expected

    def command(self, name: str) -> tuple[Any, ...]:
        """Return the plain command that makes the change."""
        if self.lifetime:
            return "SET", name, self.value, "PX", self.lifetime
        return "DEL", name


def refuses_scripts(error: ResponseError) -> bool:
    """Return whether the server, its ACL or a proxy has refused ``EVALSHA`` or ``EVAL``."""
    return not isinstance(error, NoScriptError) and "eval" in str(error).lower()
