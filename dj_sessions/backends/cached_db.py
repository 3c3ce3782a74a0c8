"""Sessions in the database, read from a cache.

https://docs.djangoproject.com/en/stable/topics/http/sessions/#using-cached-sessions
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakSet

from django.db import router
from django.utils import timezone

from dj_sessions._codec import payloads
from dj_sessions._session.modes import Mode, finish, in_sync
from dj_sessions._session.twins import driven, in_thread
from dj_sessions.backends._caching import CacheUser
from dj_sessions.backends.base import CreateError, SessionBase, UpdateError
from dj_sessions.backends.db import SessionStore as DBStore
from dj_sessions.backends.stored import Record
from dj_sessions.conf import conf
from dj_sessions.storage.copies.copies import HIDDEN, UNSEEN, Copies, Sight
from dj_sessions.storage.rows import ends
from dj_sessions.storage.rows.orm import RowRecord, Rows
from dj_sessions.storage.rows.transactions import after_commit, in_transaction, reads_committed_rows

__all__ = ["KEY_PREFIX", "CreateError", "DBStore", "SessionBase", "SessionStore", "UpdateError"]

#: Where Django has it; ``_outage`` writes to the same one.
logger = logging.getLogger("django.contrib.sessions")

KEY_PREFIX = "django.contrib.sessions.cached_db"

#: The stores that hear of rows that go.
_watching: Final[WeakSet[type]] = WeakSet()


@dataclass(frozen=True, slots=True)
class CopiedRecord(Record):
    """A copy from the cache, with what the row's payload has beyond the data."""

    remainder: str = ""


@dataclass(frozen=True, slots=True)
class CachedRecord(RowRecord):
    """A row with the age, in seconds, that its copy in the cache gets."""

    ttl: int = 0


class SessionStore(CacheUser, DBStore):
    """The database decides; the cache spares it the reads.

    What is cached is the data as the payload holds it, so a hit and a miss return the same. How
    a copy never outlives its row: see ``_copies.py``.
    """

    cache_key_prefix = KEY_PREFIX

    #: The key of which the cache last said something, and what.
    _seen = ""
    _sight: Sight = UNSEEN

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        if type(self) not in _watching:
            self._watch_rows()

    @classmethod
    def _watch_rows(cls) -> None:
        """Have the copy of a row end with it where this store does not end it."""
        ends.watch(cls.get_model_class(), cls._row_has_ended)
        _watching.add(cls)

    @classmethod
    def _row_has_ended(cls, session_key: str) -> None:
        store = cls(session_key)
        store._copies.end_one_of_many(store._cache_key_of(session_key))

    @property
    def _copies(self) -> Copies:
        return Copies(self._cache, conf.SESSION_CACHE_ALIAS, f"{self.cache_key_prefix}.generation")

    # Reading

    def _read(self, key: str) -> Record | None:
        return finish(self._read_through(in_sync, key))

    async def _read_through(self, mode: Mode, key: str) -> Record | None:
        sight = self._look(key) if mode is in_sync else await self._alook(key)
        if sight.raw is not None:
            return CopiedRecord(sight.raw, remainder=sight.remainder)
        # Not from a replica, whose old row would become the copy.
        return await self._read_written_row(mode, key, lock=False)

    def _look(self, key: str) -> Sight:
        sight = self._copies.look(self._cache_key_of(key))
        self._seen, self._sight = key, sight
        return sight

    def _loaded(self, record: Record, data: dict[str, Any]) -> None:
        if not isinstance(record, CopiedRecord):
            finish(self._copy_loaded(in_sync, record, data))

    async def _copy_loaded(self, mode: Mode, record: Record, data: dict[str, Any]) -> None:
        if isinstance(record, CopiedRecord):
            return
        if not reads_committed_rows(router.db_for_write(self.model)):
            return
        age = await mode(self.get_expiry_age, self.aget_expiry_age, expiry=record.expiry)
        await mode(self._copy_read, self._acopy_read, self._session_key, record, data, age)

    def _data(self, record: Record) -> dict[str, Any] | None:
        if isinstance(record, CopiedRecord):
            return self._decoded(record.payload)
        return super()._data(record)

    def _found(self, rows: Rows, key: str, lock: bool) -> RowRecord | None:
        return rows.find_whole(key, timezone.now(), lock=lock)

    def _holds(self, key: str) -> bool:
        return self._look(key).raw is not None or super()._holds(key)

    _aread = driven(_read, _read_through)
    _aloaded = driven(_loaded, _copy_loaded)
    _alook = in_thread(_look)

    # Writing

    async def _swappable(self, mode: Mode, key: str, baseline: Record | None) -> Record | None:
        # Only the database can compare and swap, and it knows the payload, not the copy.
        if not isinstance(baseline, CopiedRecord):
            return baseline
        data = self._data(baseline) or {}
        if type(self).encode is SessionBase.encode:
            text = payloads.rebuild(data, self.serializer, baseline.remainder)
            return Record(text)
        row = await mode(self._read_latest, self._aread_latest, key)
        return row if row is not None and data == self._data(row) else baseline

    async def _row_record(self, mode: Mode, data: dict[str, Any]) -> RowRecord:
        row = await super()._row_record(mode, data)
        age = self.get_expiry_age() if mode is in_sync else await self.aget_expiry_age()
        return CachedRecord(row.payload, row.expiry, instance=row.instance, ttl=int(age))

    def _insert(self, key: str, record: Any) -> bool:
        inserted = super()._insert(key, record)
        if inserted:
            self._seen, self._sight = key, UNSEEN
            self._copy_saved(key, record)
        return inserted

    #: Not to end the copy that it becomes, which a subclass may call by the same name.
    _tells_of_saves = False

    def _replace(self, key: str, record: Any, expected: Record | None) -> bool:
        if isinstance(expected, CopiedRecord):
            return False  # the copy was not what is stored
        replaced = super()._replace(key, record, expected)
        if replaced:
            self._copy_saved(key, record)
        return replaced

    def _copy_saved(self, key: str, record: CachedRecord) -> None:
        """Keep the copy of a row that was written, or have readers ask for the row."""
        using = router.db_for_write(self.model, instance=record.instance)
        name, copies = self._cache_key_of(key), self._copies
        self._is_unsettled = in_transaction(using)
        if self._is_unsettled:
            copies.busy(name)
            after_commit(using, lambda: copies.doubt(name))
            return
        data, remainder = self._data(record) or {}, payloads.remainder(record.payload)
        sight = self._sight if self._seen == key else HIDDEN
        self._seen, self._sight = key, copies.replace(name, data, remainder, record.ttl, sight)

    #: Whether the cache waits for the end of a transaction in which this session was saved.
    _is_unsettled = False

    def _settle(self) -> None:
        """Have readers ask for the row once, and not until the time of the transaction is over."""
        if self._session_key is None:
            return
        is_over = not in_transaction(router.db_for_write(self.model))
        if is_over and self._commit is not None and not self._commit.is_done:
            self._copies.doubt(self._cache_key_of(self._session_key))

    def _copy_read(self, key: str, record: Record, data: dict[str, Any], age: int) -> None:
        """Keep the copy of a row that was read, unless it was changed or ended meanwhile."""
        if self._seen == key:
            name, remainder = self._cache_key_of(key), payloads.remainder(record.payload)
            written = self._copies.write(name, data, remainder, age, self._sight)
            self._sight = written or HIDDEN

    def _remove(self, key: str) -> bool:
        # The copy first: whoever reads the row from now on keeps none.
        self._copies.end(self._cache_key_of(key))
        return super()._remove(key)

    def _take(self, key: str, expected: Record | None) -> bool:
        self._copies.end(self._cache_key_of(key))
        return super()._take(key, expected)

    def _move(self, key: str, expected: Record | None, forward: str) -> bool:
        self._copies.end(self._cache_key_of(key))
        return super()._move(key, expected, forward)

    _arecord = driven(DBStore._record, _row_record)
    _acopy_read = in_thread(_copy_read)
    _asettle = in_thread(_settle)
