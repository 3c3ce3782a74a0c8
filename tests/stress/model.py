"""What must be true of sessions, in dictionaries: the promises, without an engine.

An end is final. A save puts what its session changed on top of what others have stored, unless it
was cleared: then it replaces everything.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

EXPIRY = "_session_expiry"
PAST = -1
ABSENT = object()


class Ended(Exception):
    """The session under the key has ended: a save must say so."""


@dataclass
class Opened:
    """A session as one request has it. `base` is the data as it was read; None: replace all."""

    key: str | None
    data: dict[str, Any] | None = None
    base: dict[str, Any] | None = None


@dataclass
class Model:
    """`stored`: the data of each session that is alive, by key; `expired`: of what has expired."""

    stored: dict[str, dict[str, Any]] = field(default_factory=dict)
    expired: dict[str, dict[str, Any]] = field(default_factory=dict)

    def load(self, one: Opened) -> dict[str, Any]:
        if one.data is None and one.key in self.stored:
            one.data, one.base = deepcopy(self.stored[one.key]), deepcopy(self.stored[one.key])
        elif one.data is None:
            one.key, one.data = None, {}
        return one.data

    def set(self, one: Opened, name: str, value: Any) -> None:
        self.load(one)[name] = deepcopy(value)

    def remove(self, one: Opened, name: str) -> None:
        self.load(one).pop(name, None)

    def append(self, one: Opened, name: str, value: Any) -> None:
        """Change the list under the name where it is."""
        self.load(one).setdefault(name, []).append(value)

    def clear(self, one: Opened) -> None:
        one.data, one.base = {}, None

    def save(self, one: Opened, new_key: str | None) -> None:
        """Raises Ended; `new_key` is the one that a session without a key gets."""
        if one.key is None:
            self.create(one, new_key)
            return
        data = self.load(one)
        if one.key not in self.stored:
            raise Ended
        self.store(one, self.merged(one, data))

    def merged(self, one: Opened, data: dict[str, Any]) -> dict[str, Any]:
        if one.base is None:
            return data
        changed = {
            name
            for name in {*one.base, *data}
            if one.base.get(name, ABSENT) != data.get(name, ABSENT)
        }
        theirs = {k: v for k, v in self.stored[str(one.key)].items() if k not in changed}
        return theirs | {k: v for k, v in data.items() if k in changed}

    def store(self, one: Opened, data: dict[str, Any]) -> None:
        one.data, one.base = data, deepcopy(data)
        self.stored[str(one.key)] = deepcopy(data)
        if data.get(EXPIRY) == PAST:
            self.expired[str(one.key)] = self.stored.pop(str(one.key))

    def take_back(self, one: Opened) -> bool:
        """Save what has expired as this request knew it; False: it must not.

        A store may renew a session that was alive when the request began and that nobody has
        changed since, as Django does, or have forgotten it.
        """
        if one.key is None or one.base is None or self.expired.get(one.key) != one.base:
            return False
        del self.expired[one.key]
        self.store(one, self.load(one))
        return True

    def forget(self, key: str | None) -> None:
        self.stored.pop(key or "", None)
        self.expired.pop(key or "", None)

    def create(self, one: Opened, new_key: str | None) -> None:
        assert new_key is not None
        assert new_key not in self.stored
        one.key = new_key
        self.store(one, self.load(one) if one.data is None else one.data)

    def cycle_key(self, one: Opened, new_key: str | None) -> None:
        data, old = self.load(one), one.key
        if old in self.stored:
            one.data = self.merged(one, data)
        self.create(one, new_key)
        self.forget(old)

    def flush(self, one: Opened) -> None:
        self.clear(one)
        self.forget(one.key)
        one.key = None
