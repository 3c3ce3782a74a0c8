"""Sessions in the database, read from a cache.

https://docs.djangoproject.com/en/stable/topics/http/sessions/#using-cached-sessions
"""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial
from typing import Any, Final
from weakref import WeakSet

from django.utils import timezone

from dj_sessions._codec import payloads
from dj_sessions._session.modes import Mode
from dj_sessions._session.twins import in_thread
from dj_sessions.backends._caching import CacheUser
from dj_sessions.backends.base import CreateError, SessionBase, UpdateError
from dj_sessions.backends.db import SessionStore as DBStore
from dj_sessions.conf import conf
from dj_sessions.storage import Record
from dj_sessions.storage.copies.storage import CopiedStorage
from dj_sessions.storage.rows import ends
from dj_sessions.storage.rows.record import RowRecord

__all__ = ["KEY_PREFIX", "CreateError", "DBStore", "SessionBase", "SessionStore", "UpdateError"]

#: Where Django has it; the outages of the cache are written to the same one.
logger = logging.getLogger("django.contrib.sessions")

KEY_PREFIX = "django.contrib.sessions.cached_db"

#: The stores that hear of rows that others end or change.
_watching: Final[WeakSet[type]] = WeakSet()


class SessionStore(CacheUser, DBStore):
    """The database decides; the cache spares it the reads.

    What is cached is the data as the payload holds it, so a hit and a miss return the same.
    """

    cache_key_prefix = KEY_PREFIX
    _storage: CopiedStorage

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        if type(self) not in _watching:
            self._watch_rows()

    @classmethod
    def _watch_rows(cls) -> None:
        """Have the copy of a row end with it where this store does not end it."""
        ends.watch(cls.get_model_class(), cls._row_has_changed)
        _watching.add(cls)

    @classmethod
    def _row_has_changed(cls, session_key: str) -> None:
        cls().get_storage().end_copy(session_key)

    def get_storage(self) -> CopiedStorage:
        """Return the rows of the model, with copies of them in the cache."""
        return CopiedStorage(
            partial(self._rows, type(self)),
            self._cache,
            self._cache_alias,
            self.cache_key_prefix,
            self._cache_key_of,
            _Codec(self),
            is_compact=conf.SESSION_COPY_FORMAT == "compact" or payloads.encrypts(self.serializer),
        )

    async def _make_record(self, mode: Mode, data: dict[str, Any]) -> Record:
        row = await mode(self.create_model_instance, self.acreate_model_instance, data)
        # Not what the row says, which a site may compute in its own way: a copy lives as long.
        age = await mode(self.get_expiry_age, self.aget_expiry_age)
        modified = timezone.now()
        until = modified + timedelta(seconds=age)
        return RowRecord(row.session_data, until, modified, instance=row)

    @property
    def _is_unsettled(self) -> bool:
        """Whether a copy waits for the end of a transaction in which this session was saved."""
        storage = vars(self).get("_storage")
        return storage is not None and storage.is_unsettled

    @in_thread
    def _settle(self) -> None:
        """Have readers ask for the row once, and not until the time of the transaction is over."""
        self._storage.settle()


class _Codec:
    """What the copies need to know of payloads: how this session reads and writes them."""

    def __init__(self, session: SessionStore) -> None:
        self._session = session

    def decode(self, payload: str) -> dict[str, Any] | None:
        """Return the data of a payload, None if it is corrupt."""
        return self._session._decoded(Record(payload))

    def copied(self, payload: str) -> dict[str, Any] | None:
        """Return the data of a payload out of the cache; None, and not reported, if it is corrupt.

        The row is asked next, and that is reported.
        """
        session = self._session
        if type(session).decode is not SessionBase.decode:
            return self.decode(payload)
        salt, engine = session.key_salt, session.engine_name
        return payloads.decode(
            payload, session.serializer, salt, report=payloads.say_nothing, engine=engine
        )

    @property
    def is_plain(self) -> bool:
        """Whether payloads are what this package makes of data, and data of them."""
        return self._is_ours and not self.encrypts

    @property
    def _is_ours(self) -> bool:
        kind = type(self._session)
        return kind.encode is SessionBase.encode and kind.decode is SessionBase.decode

    @property
    def encrypts(self) -> bool:
        """Whether nothing plainer than a payload is to be kept anywhere."""
        return payloads.encrypts(self._session.serializer)

    def loads(self, content: bytes) -> dict[str, Any] | None:
        """Return the data of what the serializer made, None if it is corrupt."""
        session = self._session
        salt, engine = session.key_salt, session.engine_name
        return payloads.loads(content, session.serializer, salt, engine)

    def trusted(self, payload: str) -> dict[str, Any] | None:
        """Return the data of a payload that was made a moment ago."""
        session, serializer = self._session, self._session.serializer
        if not self._is_ours or payloads.encrypts(serializer):
            return self.decode(payload)
        salt, engine = session.key_salt, session.engine_name
        return payloads.loads(payloads.content(payload), serializer, salt, engine)

    def rebuild(self, data: dict[str, Any], remainder: str) -> str | None:
        """Return the payload of ``data`` again, None where a subclass makes it in its own way."""
        session = self._session
        if type(session).encode is not SessionBase.encode:
            return None
        salt, engine = session.key_salt, session.engine_name
        return payloads.rebuild(data, session.serializer, remainder, salt, engine)
