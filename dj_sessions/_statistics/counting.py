"""Counting the sessions of a store: whose they are, how old and how large."""

from __future__ import annotations

import time
from typing import Any, Final

from dj_sessions._codec import payloads
from dj_sessions._codec.sizes import sizes_of_keys
from dj_sessions._session.limits import USER_ID
from dj_sessions._session.modes import finish, in_sync
from dj_sessions._session.session import SessionBase
from dj_sessions._statistics.counters import Histogram, TopCounter
from dj_sessions.storage import Entry, Record

HOUR: Final = 3600
DAY: Final = 24 * HOUR
#: Seconds since a session was last saved.
AGES: Final = (HOUR, 6 * HOUR, DAY, 3 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 90 * DAY)
#: Bytes of a session as it is stored.
SIZES: Final = (128, 256, 512, 1024, 2048, 4096, 16_384, 65_536, 1_048_576)


class Count:
    """What was counted of the sessions of ``store``, a ``StoredSession``."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._now = time.time()
        self.live = self.expired = self.unreadable = self.anonymous = self.bytes = 0
        #: Sessions of each user.
        self.users = TopCounter()
        self.ages = Histogram(AGES)
        #: Sessions that do not tell when they were saved.
        self.ageless = 0
        self.sizes = Histogram(SIZES)
        #: Of each top-level key, the bytes in all sessions, and the sessions.
        self.key_bytes, self.key_sessions = TopCounter(), TopCounter()

    @property
    def seen(self) -> int:
        """All that were read."""
        return self.live + self.expired + self.unreadable

    def add(self, entry: Entry) -> None:
        """Count a session, unless it has ended."""
        session, record = self._store()._under(entry.name), entry.record
        data = _data_of(session, record)
        if data is None:
            self.unreadable += 1
        elif finish(session._is_over(in_sync, record, data)):
            self.expired += 1
        else:
            self._add_live(session, record, data)

    def _add_live(self, session: Any, record: Record, data: dict[str, Any]) -> None:
        self.live += 1
        owner = data.get(USER_ID)
        if owner is None:
            self.anonymous += 1
        else:
            self.users.add(str(owner))
        self._add_age(_saved_at(session, record))
        size = _size_of(record.payload)
        if size is not None:
            self.bytes += size
            self.sizes.add(size)
        dumps = payloads.dumps_of(session.serializer, session.engine_name, session.key_salt)
        for key, of_it in sizes_of_keys(data, dumps):
            self.key_bytes.add(key, of_it)
            self.key_sessions.add(key)

    def _add_age(self, saved: float | None) -> None:
        if saved is None:
            self.ageless += 1
        else:
            self.ages.add(max(0, self._now - saved))


def _data_of(session: Any, record: Record) -> dict[str, Any] | None:
    """Return the data of a record; None, and not logged, if it is corrupt."""
    # The text of a cache, whose client may decode, is another one than that of encode().
    ours = type(session).decode is SessionBase.decode and session._tells_when_saved()
    if not ours:
        data: dict[str, Any] | None = session._decoded(record)
        return data
    serializer, salt, engine = session.serializer, session.key_salt, session.engine_name
    return payloads.decode(
        record.payload, serializer, salt, report=payloads.say_nothing, engine=engine
    )


def _saved_at(session: Any, record: Record) -> float | None:
    saved: float | None = session._saved_in(record)
    if saved is None and record.modified is not None:
        return record.modified.timestamp()
    return saved


def _size_of(payload: Any) -> int | None:
    if isinstance(payload, str):
        return len(payload.encode("utf-8", "surrogateescape"))
    return len(payload) if isinstance(payload, bytes) else None
