"""Sessions in a cache alone: fast, and gone when the cache forgets them.

https://docs.djangoproject.com/en/stable/topics/http/sessions/#using-cached-sessions
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from dj_sessions._session.baseline import plain
from dj_sessions._session.modes import Mode
from dj_sessions.backends._caching import CacheUser
from dj_sessions.backends.base import CreateError, SessionBase, UpdateError
from dj_sessions.storage import Record
from dj_sessions.storage.caches.storage import CacheStorage

__all__ = ["KEY_PREFIX", "CreateError", "SessionBase", "SessionStore", "UpdateError"]

KEY_PREFIX = "django.contrib.sessions.cache"


class SessionStore(CacheUser):
    """Sessions as dictionaries in a cache, which serializes them and forgets them in time."""

    cache_key_prefix = KEY_PREFIX
    _storage: CacheStorage

    def get_storage(self) -> CacheStorage:
        """Return the entries of the cache."""
        return CacheStorage(self._cache, self._cache_key_of)

    async def _make_record(self, mode: Mode, data: dict[str, Any]) -> Record:
        age = await mode(self.get_expiry_age, self.aget_expiry_age)
        modified = timezone.now()
        payload = self._storage.encode(plain(data))
        return Record(payload, modified + timedelta(seconds=age), modified)

    def _decoded(self, record: Record) -> dict[str, Any] | None:
        return self._storage.decode(record.payload)
