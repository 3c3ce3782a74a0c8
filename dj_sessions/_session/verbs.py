"""What a store implements: five storage verbs, and what they have to do with a session.

A verb that follows from another one follows from that one's twin in async mode, so that a store
may have its verbs in one mode alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dj_sessions._codec import forwards, payloads
from dj_sessions._session.twins import at_once, in_thread, twin_of
from dj_sessions.backends.base import SessionBase
from dj_sessions.storage.base import Record


class StorageVerbs(SessionBase):
    """The verbs, and what they are where a store does not say."""

    def _before_io(self, key: str) -> None:
        """Prepare to read or write the session under ``key``."""

    def _read(self, key: str) -> Record | None:
        """Return what is stored; None where it is unknown or has expired."""
        raise _not_provided(type(self), "_read")

    def _read_latest(self, key: str) -> Record | None:
        """Return what is stored, past any cache."""
        return self._read(key)

    @twin_of(_read_latest)
    async def _aread_latest(self, key: str) -> Record | None:
        return await self._aread(key)

    def _insert(self, key: str, record: Any) -> bool:
        """Store ``record`` under a new key; False if the key is taken."""
        raise _not_provided(type(self), "_insert")

    def _replace(self, key: str, record: Any, expected: Record | None) -> bool:
        """Store ``record`` if ``expected`` (None: anything) is still there; tell whether it was."""
        raise _not_provided(type(self), "_replace")

    def _remove(self, key: str) -> bool:
        """Remove what is stored; tell whether there was anything."""
        raise _not_provided(type(self), "_remove")

    def _take(self, key: str, expected: Record | None) -> bool:
        """Remove what is stored if it is ``expected`` (None: anything); tell whether it was.

        A store that cannot compare removes it in any case: what another request saved since it
        was read does not follow the session to its new key.
        """
        return self._remove(key)

    @twin_of(_take)
    async def _atake(self, key: str, expected: Record | None) -> bool:
        return await self._aremove(key)

    def _move(self, key: str, expected: Record | None, forward: str) -> bool:
        """Put ``forward`` in the place of what is stored if it is ``expected`` (None: anything).

        Return whether it was. Reading under the old key finds the forward, which is no session. A
        store that keeps none removes what is stored.
        """
        return self._take(key, expected)

    @twin_of(_move)
    async def _amove(self, key: str, expected: Record | None, forward: str) -> bool:
        return await self._atake(key, expected)

    def _may_wait(self) -> bool:
        """Return whether a save may wait for others of this process: not inside a transaction."""
        return True

    def _holds(self, key: str) -> bool:
        """Tell whether a session is stored, expired or not."""
        return self._read(key) is not None

    @twin_of(_holds)
    async def _aholds(self, key: str) -> bool:
        return await self._aread(key) is not None

    @classmethod
    def _purge(cls, now: datetime, batch: int) -> int:
        """Remove up to ``batch`` sessions that had expired at ``now``; return how many."""
        raise _not_provided(cls, "_purge")

    def _record(self, data: dict[str, Any]) -> Record:
        """Return what to store for ``data``; a store that wants the expiry adds it."""
        return Record(self.encode(data))

    def _forward_in(self, record: Record) -> str | None:
        """Return the text of a forward that stands in the place of a session, if one does."""
        payload = record.payload
        return payload if forwards.is_forward_text(payload) else None

    def _data(self, record: Record) -> dict[str, Any] | None:
        """Return the data of ``record``, a new copy each time; None if it is corrupt."""
        if type(self).decode is not SessionBase.decode:
            return self.decode(record.payload)
        return payloads.decode(record.payload, self.serializer, self.key_salt, self._place)

    def _loaded(self, record: Record, data: dict[str, Any]) -> None:
        """Take note of what was read and is valid."""

    def _has_expired(self, record: Record, data: dict[str, Any]) -> bool:
        """Tell whether a session that was read is over, where the store does not know."""
        return False

    _abefore_io = at_once(_before_io)
    _aread = in_thread(_read)
    _ainsert = in_thread(_insert)
    _areplace = in_thread(_replace)
    _aremove = in_thread(_remove)
    _arecord = at_once(_record)
    _ahas_expired = at_once(_has_expired)
    _aloaded = at_once(_loaded)


def _not_provided(store: type, verb: str) -> NotImplementedError:
    return NotImplementedError(f"{store.__module__}.{store.__qualname__} must provide {verb}()")
