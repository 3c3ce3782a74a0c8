"""What Redis, or a server that speaks its language, does in one step.

A script does it in one round trip. Where the server runs none (an ACL without ``@scripting``, a
command that was renamed), ``WATCH`` and ``MULTI`` do in three.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha1
from importlib import import_module
from typing import Any, Final, NamedTuple

#: A condition: there is anything.
ANYTHING: Final = object()

#: Writes entries where others are as expected. Each letter of the first argument is a condition on
#: the key in its place: n, there is nothing; a, anything; v, the value that the arguments after it
#: have in that place. Each key after those has a value and an age: none, it stays; over, it goes.
SCRIPT: Final = """
local asked = #ARGV[1]
for place = 1, asked do
    local current, letter = redis.call('GET', KEYS[place]), ARGV[1]:sub(place, place)
    if (letter == 'n') == (current ~= false) then return 0 end
    if letter == 'v' and current ~= ARGV[1 + place] then return 0 end
end
for place = asked + 1, #KEYS do
    local value, age = ARGV[2 * place - asked], ARGV[2 * place - asked + 1]
    if age == '' then
        redis.call('SET', KEYS[place], value)
    elseif tonumber(age) > 0 then
        redis.call('SET', KEYS[place], value, 'EX', age)
    else
        redis.call('DEL', KEYS[place])
    end
end
return 1
"""
DIGEST: Final = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()


class Change(NamedTuple):
    """What an entry becomes; with an age of None it stays, and with one that is over it goes."""

    raw: Any
    age: int | None


DELETE: Final = Change(b"", 0)


class Steps:
    """The steps of one client. Its names are those that the server has."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._errors = _errors_of(client)
        #: Whether the server runs scripts, as far as is known.
        self.runs_scripts = True

    def apply(self, conditions: Mapping[Any, Any], changes: Mapping[Any, Change]) -> bool:
        """Make all changes if each condition holds; return whether they were made.

        A condition is a raw value, ANYTHING, or None for nothing there.
        """
        if self.runs_scripts:
            try:
                return self._run(conditions, changes)
            except self._errors.ResponseError as error:
                if not self._refuses_scripts(error):
                    raise
            self.runs_scripts = False
        return self._watch(conditions, changes)

    def _run(self, conditions: Mapping[Any, Any], changes: Mapping[Any, Change]) -> bool:
        letters = "".join(_letter(expected) for expected in conditions.values())
        values = [raw if _letter(raw) == "v" else b"" for raw in conditions.values()]
        pairs: list[Any] = []
        for raw, age in changes.values():
            pairs += [raw, "" if age is None else int(age)]
        call = len(conditions) + len(changes), *conditions, *changes, letters, *values, *pairs
        try:
            return bool(self._client.evalsha(DIGEST, *call))
        except self._errors.NoScriptError:
            return bool(self._client.eval(SCRIPT, *call))  # which the server keeps

    def _refuses_scripts(self, error: Exception) -> bool:
        # Only a client that can do without them is asked to.
        return hasattr(self._client, "transaction") and (
            isinstance(error, self._errors.NoPermissionError)
            or str(error).lower().startswith("unknown command")
        )

    def _watch(self, conditions: Mapping[Any, Any], changes: Mapping[Any, Change]) -> bool:
        def step(pipe: Any) -> bool:
            keep_commands_out_of_errors(pipe)
            if not all(_holds(expected, pipe.get(name)) for name, expected in conditions.items()):
                return False
            pipe.multi()
            for name, (raw, age) in changes.items():
                if age is not None and age <= 0:
                    pipe.delete(name)
                else:
                    pipe.set(name, raw, ex=age)
            return True

        return bool(self._client.transaction(step, *conditions, value_from_callable=True))


def is_cluster(client: Any) -> bool:
    """Return whether a client of redis-py or valkey-py, of either mode, is that of a cluster."""
    return hasattr(client, "mget_nonatomic")


def keep_commands_out_of_errors(pipe: Any) -> None:
    """Have redis-py not add a command to the error that it meets: that names the session's key."""
    pipe.annotate_exception = lambda *_: None


def _errors_of(client: Any) -> Any:
    """Return the exceptions of the library that a client is of."""
    roots = [kind.__module__.partition(".")[0] for kind in type(client).__mro__]
    return import_module(f"{'valkey' if 'valkey' in roots else 'redis'}.exceptions")


def _letter(expected: Any) -> str:
    return "n" if expected is None else "a" if expected is ANYTHING else "v"


def _holds(expected: Any, current: Any) -> bool:
    if expected is None or current is None:
        return current is expected
    return expected is ANYTHING or as_bytes(expected) == as_bytes(current)


def as_bytes(raw: Any) -> bytes:
    """Return what the server stores: a serializer may write text, a client decode what it reads."""
    return raw if isinstance(raw, bytes) else str(raw).encode()
