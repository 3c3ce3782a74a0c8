"""The contract of a storage: five methods, an async twin for each, and declared abilities.

*Not there* is None or False. What is broken raises the storage's own error, which nobody turns into
"no session".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Final

from asgiref.sync import sync_to_async
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004

from dj_sessions.storage.clearing import ForgottenPurge, PlainPurge, Purge

#: What a session is kept with.
METHODS: Final = ("read", "insert", "replace", "remove")


@dataclass(frozen=True, slots=True)
class Record:
    """What a storage keeps under a session key.

    ``payload`` is the data as it is stored: a text, or what else the storage takes. ``expiry``
    (datetime) is when the session ends, and ``modified`` (datetime) when it was changed. A storage
    that reads a record may leave both out, as it gives none that has ended; or it gives
    ``modified`` alone where only the data tells the end. ``forward`` is a text that stands in the
    place of a session whose key has changed.
    """

    payload: Any
    expiry: datetime | None = None
    modified: datetime | None = None
    forward: str | None = None

    @property
    def age(self) -> int:
        """The seconds for which a record that is written lives from now on."""
        if self.expiry is None or self.modified is None:
            raise ValueError("The record does not say for how long it lives.")
        return (self.expiry - self.modified) // timedelta(seconds=1)

    @property
    def data(self) -> dict[str, Any] | None:
        """The data, a new copy each time, where the storage knows it without the payload."""
        return None


class Commit:
    """The end of somebody's transaction: called when it is committed, and never otherwise."""

    is_done = False

    def __init__(self) -> None:
        self._actions: list[Callable[[], object]] = []

    def then(self, action: Callable[[], object]) -> None:
        """Have ``action`` called when the transaction is committed."""
        self._actions.append(action)

    def __call__(self) -> None:
        self.is_done = True
        for action in self._actions:
            action()


class Storage:
    """Where sessions are kept. A session has one of its own; it knows none.

    ====================================  ========  ================================================
    ``read(key)``                         Record    None: unknown, expired or malformed
    ``insert(key, record)``               bool      False: the key is taken
    ``replace(key, record, expected)``    bool      False: changed or gone since ``expected``
    ``remove(key, expected=None)``        bool      False: there was nothing, or something else
    ``purge(now, batch)``                 int       how many expired sessions it removed
    ====================================  ========  ================================================

    Each has an async twin, ``aread()`` and so on: one thread hop, unless the storage writes it.
    """

    #: Whether ``replace()`` and ``remove()`` compare and write in one step, for all processes.
    atomic_replace: ClassVar[bool] = False
    #: Whether it forgets expired sessions by itself, so that there is nothing to purge.
    forgets_expired: ClassVar[bool] = False
    #: Whether the async twins do I/O of their own, in the event loop.
    async_native: ClassVar[bool] = False
    #: Whether the sync methods do I/O, so that async code calls them in a thread.
    blocking: ClassVar[bool] = True

    #: What the last write waits for inside somebody's transaction; None where it counts already.
    commit: Commit | None = None

    def read(self, key: str) -> Record | None:
        """Return what is stored; None where it is unknown or has expired."""
        raise _not_provided(self, "read")

    def insert(self, key: str, record: Any) -> bool:
        """Store ``record`` under a new key; return False if the key is taken."""
        raise _not_provided(self, "insert")

    def replace(self, key: str, record: Any, expected: Record | None) -> bool:
        """Store ``record`` if ``expected`` (None: any live session) is there; return whether."""
        raise _not_provided(self, "replace")

    def remove(self, key: str, expected: Record | None = None) -> bool:
        """Remove what is stored if it is ``expected`` (None: anything); return whether it was."""
        raise _not_provided(self, "remove")

    def purge(self, now: datetime, batch: int) -> int:
        """Remove up to ``batch`` sessions that had expired at ``now``; return how many."""
        if self.forgets_expired:
            return 0
        raise _not_provided(self, "purge")

    def check(self) -> list[CheckMessage]:
        """Return what ``manage.py check`` reports: methods that are missing, or not declared."""
        kind, found = type(self), list[CheckMessage]()
        name = f"{kind.__module__}.{kind.__qualname__}"
        twins = [method for method in METHODS if _is_own(self, f"a{method}")]
        usable = twins if self.async_native else []
        missing = [each for each in METHODS if not _is_own(self, each) and each not in usable]
        if missing:
            wanted = " and ".join(f"{method}()" for method in missing)
            hint = f"Write {wanted}: dj_sessions.storage.Storage says what it has to return."
            if set(missing) <= set(twins):
                hint = f"Set async_native = True in the class, or write {wanted}."
            message = f"The storage {name} has no {wanted}: sessions cannot be kept in it."
            found.append(Error(message, hint=hint, id="dj_sessions.E040"))
        if not (self.forgets_expired or _is_own(self, "purge") or _is_own(self, "start_purge")):
            message = f"The storage {name} has no purge(): expired sessions stay in it for good."
            hint = "Write purge(), or set forgets_expired = True if the store removes them itself."
            found.append(Warning(message, hint=hint, id="dj_sessions.W041"))
        return found

    # What follows from these, where a storage knows no better

    def read_latest(self, key: str) -> Record | None:
        """Return what is stored, past any copy, replica or old snapshot."""
        return self.read(key)

    def holds(self, key: str) -> bool:
        """Return whether a session is stored; a forward is none."""
        return _is_session(self.read(key))

    def move(self, key: str, expected: Record | None, forward: str) -> bool:
        """Put ``forward`` in the place of what is stored if it is ``expected`` (None: anything).

        Return whether it was. Reading under the old key then gives a record with the forward. A
        storage that keeps none removes what is stored.
        """
        return self.remove(key, expected)

    def may_wait(self) -> bool:
        """Return whether a save may wait for others of this process: not inside a transaction."""
        return True

    def start_purge(self, now: datetime) -> Purge:
        """Return a run over the sessions that had expired at ``now``."""
        kind = ForgottenPurge if self.forgets_expired else PlainPurge
        return kind(partial(self.purge, now))

    # The async twins

    async def aread(self, key: str) -> Record | None:
        """``read()``."""
        return await sync_to_async(self.read)(key)

    async def ainsert(self, key: str, record: Any) -> bool:
        """``insert()``."""
        return await sync_to_async(self.insert)(key, record)

    async def areplace(self, key: str, record: Any, expected: Record | None) -> bool:
        """``replace()``."""
        return await sync_to_async(self.replace)(key, record, expected)

    async def aremove(self, key: str, expected: Record | None = None) -> bool:
        """``remove()``."""
        return await sync_to_async(self.remove)(key, expected)

    async def aread_latest(self, key: str) -> Record | None:
        """``read_latest()``."""
        if _is_own(self, "read_latest"):
            return await sync_to_async(self.read_latest)(key)
        return await self.aread(key)

    async def aholds(self, key: str) -> bool:
        """``holds()``."""
        if _is_own(self, "holds"):
            return await sync_to_async(self.holds)(key)
        return _is_session(await self.aread(key))

    async def amove(self, key: str, expected: Record | None, forward: str) -> bool:
        """``move()``."""
        if _is_own(self, "move"):
            return await sync_to_async(self.move)(key, expected, forward)
        return await self.aremove(key, expected)


def payload_of(expected: Record | None) -> Any:
    """Return the payload to compare with; None: anything."""
    return None if expected is None else expected.payload


def _is_session(record: Record | None) -> bool:
    return record is not None and record.forward is None


def _is_own(storage: Storage, name: str) -> bool:
    """Return whether a storage overrides a method that follows from others."""
    return getattr(type(storage), name) is not getattr(Storage, name)


def _not_provided(storage: Storage, name: str) -> NotImplementedError:
    kind = type(storage)
    return NotImplementedError(f"{kind.__module__}.{kind.__qualname__} must provide {name}()")
