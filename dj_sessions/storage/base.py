"""The contract of a storage: five methods, an async twin of each, and what the class declares.

A method returns None or False where nothing is stored. If the store fails, the method raises the
storage's own error, and no caller takes that for a missing session.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import partial
from random import Random
from typing import Any, ClassVar

from asgiref.sync import sync_to_async
from django.core.checks import CheckMessage

from dj_sessions.storage import listing
from dj_sessions.storage.clearing import ForgottenPurge, PlainPurge, Purge
from dj_sessions.storage.faults import faults_of
from dj_sessions.storage.record import Commit, Entries, Entry, Record, Sample

__all__ = ["Commit", "Entries", "Entry", "Record", "Sample", "Storage", "payload_of"]


class Storage:
    """Where sessions are kept. Each session has a storage of its own; the storage knows no session.

    ====================================  ========  ================================================
    ``read(key)``                         Record    None: unknown, expired or corrupt
    ``insert(key, record)``               bool      False: the key is taken
    ``replace(key, record, expected)``    bool      False: changed or gone since ``expected``
    ``remove(key, expected=None)``        bool      False: there was nothing, or something else
    ``purge(now, batch)``                 int       how many expired sessions it removed
    ====================================  ========  ================================================

    Each has an async twin, such as ``aread()``. It calls the sync method in a thread, unless the
    storage overrides it.
    """

    #: Whether ``replace()`` and ``remove()`` compare and write in one step across processes.
    atomic_replace: ClassVar[bool] = False
    #: Whether there is a ``rename()``, and it is one step across processes.
    atomic_rename: ClassVar[bool] = False
    #: Whether the store removes expired sessions itself, so that there is nothing to purge.
    forgets_expired: ClassVar[bool] = False
    #: Whether ``names()`` has an order, and so can begin behind a name.
    lists_in_order: ClassVar[bool] = False
    #: Whether the async twins do their I/O in the event loop, without a thread.
    async_native: ClassVar[bool] = False
    #: Whether the sync methods do I/O, so that async code has to call them in a thread.
    blocking: ClassVar[bool] = True

    #: The alias of the database whose transactions take back what is written; None if none do.
    database: str | None = None

    #: The end of the transaction around the last write; None if that write is final already.
    commit: Commit | None = None

    @property
    def place(self) -> Any:
        """What says where sessions are kept, equal for two storages of one place; None: unknown."""
        return None

    def read(self, key: str) -> Record | None:
        """Return what is stored under ``key``, or None if it is unknown or has expired."""
        raise _not_provided(self, "read")

    def insert(self, key: str, record: Any) -> bool:
        """Store ``record`` under a new key; return False if the key is taken."""
        raise _not_provided(self, "insert")

    def replace(self, key: str, record: Any, expected: Record | None) -> bool:
        """Store ``record`` in place of ``expected`` if that is still stored; return whether it was.

        None as ``expected`` stands for any session that has not expired.
        """
        raise _not_provided(self, "replace")

    def remove(self, key: str, expected: Record | None = None) -> bool:
        """Remove ``expected`` if it is still stored; return whether it was.

        None as ``expected`` stands for whatever is stored.
        """
        raise _not_provided(self, "remove")

    def purge(self, now: datetime, batch: int) -> int:
        """Remove up to ``batch`` sessions that had expired at ``now``; return how many."""
        if self.forgets_expired:
            return 0
        raise _not_provided(self, "purge")

    def check(self) -> list[CheckMessage]:
        """Return what ``manage.py check`` reports: methods that are missing or not declared."""
        return faults_of(self, Storage)

    # What follows from these, unless a storage overrides it

    def read_latest(self, key: str) -> Record | None:
        """Return the latest that is stored: from no cache, replica or old snapshot."""
        return self.read(key)

    def read_whole(self, key: str) -> Record | None:
        """Return what ``read_latest()`` does, with its ``expiry`` where the store knows that."""
        return self.read_latest(key)

    def holds(self, key: str) -> bool:
        """Return whether a session is stored. A forward does not count as one."""
        return _is_session(self.read(key))

    def read_among(self, keys: Collection[str]) -> dict[str, Record]:
        """Return what is stored under those of ``keys`` that have a session, past any cache."""
        found = {key: self.read_latest(key) for key in keys}
        return {key: record for key, record in found.items() if record and not record.forward}

    def move(self, key: str, expected: Record | None, forward: str) -> bool:
        """Put ``forward`` in place of ``expected`` if that is still stored; return whether it was.

        None as ``expected`` stands for whatever is stored. ``read()`` of the old key then returns a
        record with the forward. A storage that keeps no forwards removes what is stored.
        """
        return self.remove(key, expected)

    def drop_forward(self, key: str) -> None:
        """Remove the forward that ``move()`` has left under ``key``, if it is still there."""
        found = self.read(key)
        if found is not None and found.forward is not None:
            self.remove(key)

    def read_renamed(self, key: str, new: str, latest: bool = False) -> tuple[str, Record] | None:
        """Return what is stored under ``key``, or under ``new``, and under which; or None.

        It may have been renamed from ``key`` to ``new`` a moment ago. ``latest`` asks for what
        ``read_latest()`` returns.
        """
        for each in (key, new):
            found = self.read_latest(each) if latest else self.read(each)
            if found is not None:
                return each, found
        return None

    def rename(self, key: str, new: str, record: Any, expected: Record | None) -> str | None:
        """Store ``record`` under ``new`` in place of ``expected`` under ``key``, in one step.

        Return the key under which it is stored: ``key`` itself if a session cannot be renamed.
        Return None if ``expected`` is not stored any more, or ``new`` is taken. None as
        ``expected`` stands for any session that has not expired. Raises NotImplementedError where
        ``atomic_rename`` is not declared.
        """
        raise _not_provided(self, "rename")

    def count_forms(self, now: datetime) -> dict[str, int]:
        """Return how many sessions are stored under "plain" keys, and how many under "hashed" ones.

        Those that had ended at ``now`` count where only their data tells. Raises
        NotImplementedError for a store that cannot list its sessions.
        """
        return listing.count_forms(self)

    def names_around_save(self, key: str) -> tuple[str, str]:
        """Return the names under which ``key`` is stored before its next save, and after it."""
        return key, key

    def may_wait(self) -> bool:
        """Return whether a save may wait for others in this process; False inside a transaction."""
        return True

    def start_purge(self, now: datetime) -> Purge:
        """Return a ``Purge``, which removes the sessions that had expired at ``now``."""
        kind = ForgottenPurge if self.forgets_expired else PlainPurge
        return kind(partial(self.purge, now))

    # Optional, for moving and converting what is stored

    def names(self, batch: int, after: str = "") -> Iterator[list[str]]:
        """Yield the names under which sessions stand, up to ``batch`` of them at a time.

        A name is the stored form of a key. Those of sessions that have expired may be among them,
        and one may come twice. With ``after`` it begins behind that name, or behind where a name
        would be that begins so, if it ``lists_in_order``. Raises NotImplementedError if the store
        cannot list its sessions.
        """
        raise _not_provided(self, "names")

    def many(self, method: str, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Return what the calls of one method return, each about another session.

        They are made in fewer round trips, or fewer transactions, where the store has such a way.
        If one raises, it is not known which of the others were made.
        """
        return [getattr(self, method)(*call) for call in calls]

    def entries(self, batch: int) -> Iterator[Entries]:
        """Yield all sessions in the order of ``names()``, up to ``batch`` at a time, no forwards.

        Raises NotImplementedError if the store cannot list them.
        """
        raise _not_provided(self, "entries")

    def sample(self, size: int, random: Random) -> Sample:
        """Return ``size`` sessions that ``random`` has chosen, and of how many.

        Raises NotImplementedError if the store cannot list them.
        """
        return listing.sample(self, size, random)

    def rewrite(self, entry: Entry, payload: Any) -> bool:
        """Store ``payload`` in place of that of ``entry`` if it is still stored; return whether.

        It is the same session in another form: it ends when it would have ended. Raises
        NotImplementedError if the store cannot do that.
        """
        raise _not_provided(self, "rewrite")

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

    async def aread_renamed(
        self, key: str, new: str, latest: bool = False
    ) -> tuple[str, Record] | None:
        """``read_renamed()``."""
        if _is_own(self, "read_renamed"):
            return await sync_to_async(self.read_renamed)(key, new, latest)
        for each in (key, new):
            found = await (self.aread_latest(each) if latest else self.aread(each))
            if found is not None:
                return each, found
        return None

    async def arename(self, key: str, new: str, record: Any, expected: Record | None) -> str | None:
        """``rename()``."""
        return await sync_to_async(self.rename)(key, new, record, expected)

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


def payload_of(expected: Record | None = None) -> Any:
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
