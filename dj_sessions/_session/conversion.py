"""Writing stored sessions in the form that the settings ask for now.

That is no use of a session and no change: it ends when it would have ended, and nobody merges. A
session that a request saves meanwhile is left alone: that save was in the new form already, or the
next run finds it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from dj_sessions import _keys
from dj_sessions._codec import payloads
from dj_sessions._session.session import SessionBase
from dj_sessions.exceptions import SessionEncodeError
from dj_sessions.storage.base import Entry, Storage

#: Sessions that are named of all that cannot be converted for one reason.
NAMED: Final = 5


class _Failed(Exception):
    """The session cannot be converted; the message says why."""


@dataclass
class Outcome:
    """How many sessions were converted, were as they should be, and were changed meanwhile.

    ``failures`` counts by reason those that cannot be converted, and ``named`` has the public ids
    of the first of them.
    """

    converted: int = 0
    current: int = 0
    changed: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    named: dict[str, list[str]] = field(default_factory=dict)

    @property
    def seen(self) -> int:
        """All of them."""
        return self.converted + self.current + self.changed + self.failures.total()

    def failed(self, name: str, reason: str) -> None:
        """Note that a session cannot be converted."""
        self.failures[reason] += 1
        if self.failures[reason] <= NAMED:
            self.named.setdefault(reason, []).append(_keys.public_id(name))


class Conversion:
    """One run over what ``storage`` has; ``session_under(name)`` returns a session that reads it.

    With ``is_dry`` nothing is written.
    """

    def __init__(
        self, storage: Storage, session_under: Callable[[str], Any], *, is_dry: bool = False
    ) -> None:
        self._storage = storage
        self._session_under = session_under
        self._is_dry = is_dry
        #: What was done so far.
        self.outcome = Outcome()

    def batches(self, size: int) -> Iterator[int]:
        """Convert all sessions; yields after each batch how many it had."""
        for entries in self._storage.entries(size):
            for entry in entries:
                self._convert(entry)
            yield len(entries)

    def _convert(self, entry: Entry) -> None:
        outcome = self.outcome
        try:
            payload = _converted(self._session_under(entry.name), entry.record.payload)
        except _Failed as failed:
            outcome.failed(entry.name, str(failed))
            return
        if payload is None:
            outcome.current += 1
        elif self._is_dry or self._storage.rewrite(entry, payload):
            outcome.converted += 1
        else:
            outcome.changed += 1


def _converted(session: Any, payload: Any) -> str | None:
    """Return ``payload`` as it would be written now, None if it is; raises _Failed."""
    data = _decoded(session, payload)
    try:
        encoded, is_current = _encoded(session, payload, data)
    except SessionEncodeError as error:
        kind = f"{error.value_type.__module__}.{error.value_type.__qualname__}"
        raise _Failed(f"{error.path} is of type {kind}, which cannot be stored") from error
    return None if is_current else encoded


def _encoded(session: Any, payload: Any, data: dict[str, Any]) -> tuple[str, bool]:
    """Return what is written of ``data`` now, and whether ``payload`` is as good."""
    if type(session).encode is not SessionBase.encode:
        encoded: str = session.encode(data)
        return encoded, encoded == payload
    serializer, salt, engine = session.serializer, session.key_salt, session.engine_name
    # Saved when it was saved: the idle limit counts from then.
    saved = payloads.saved_at(payloads.remainder(payload))
    encoded = payloads.encode(data, serializer, salt, saved, engine)
    return encoded, payloads.is_current(payload, data, serializer, salt, engine)


def _decoded(session: Any, payload: Any) -> dict[str, Any]:
    if type(session).decode is not SessionBase.decode:
        data: dict[str, Any] = session.decode(payload)
        if not data:  # nobody says whether it is empty, or could not be read
            raise _Failed("the engine's own decode() gives no data of it")
        return data
    reasons: list[str] = []
    serializer, salt, engine = session.serializer, session.key_salt, session.engine_name
    found = payloads.decode(payload, serializer, salt, report=reasons.append, engine=engine)
    if found is None:
        raise _Failed(reasons[0])
    return found
