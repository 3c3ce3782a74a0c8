"""Sessions in a cache alone: fast, and gone when the cache forgets them.

https://docs.djangoproject.com/en/stable/topics/http/sessions/#using-cached-sessions
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from dj_sessions._codec import payloads
from dj_sessions._session.baseline import plain
from dj_sessions._session.modes import Mode
from dj_sessions.backends._caching import CacheUser
from dj_sessions.backends.base import CreateError, SessionBase, UpdateError
from dj_sessions.conf import conf
from dj_sessions.storage import Record
from dj_sessions.storage.caches.storage import CacheStorage

__all__ = ["KEY_PREFIX", "CreateError", "SessionBase", "SessionStore", "UpdateError"]

KEY_PREFIX = "django.contrib.sessions.cache"


class SessionStore(CacheUser):
    """Sessions as dictionaries in a cache, which serializes them and forgets them in time."""

    cache_key_prefix = KEY_PREFIX
    engine_name = "cache"
    _storage: CacheStorage

    def get_storage(self) -> CacheStorage:
        """Return the entries of the cache."""
        return CacheStorage(self._cache, self._cache_key_of, self._makes_own_keys)

    async def _make_record(self, mode: Mode, data: dict[str, Any]) -> Record:
        age = await mode(self.get_expiry_age, self.aget_expiry_age)
        modified = timezone.now()
        kept = self.encode(data) if payloads.encrypts(self.serializer) else plain(data)
        payload = self._storage.encode(kept)
        return Record(payload, modified + timedelta(seconds=age), modified)

    def _tells_when_saved(self) -> bool:
        return False

    def _decoded(self, record: Record) -> dict[str, Any] | None:
        value = self._storage.value(record.payload, self._session_key)
        if isinstance(value, str):  # what encode() made, for a serializer that encrypts, or did
            return super()._decoded(Record(value))
        if value is None or not payloads.encrypts(self.serializer):
            return value
        if conf.SESSION_ENCRYPTION_ACCEPT_PLAIN:
            return value
        self._report_corruption("the cache holds it as it is, and not encrypted")
        return None
