"""What the two engines that use a cache share: the cache, and the names of its entries."""

from __future__ import annotations

from copy import copy
from typing import Self

from asgiref.sync import async_to_sync
from django.core.cache import BaseCache, caches

from dj_sessions._session.twins import is_async, twin_of
from dj_sessions.backends.stored import StoredSession
from dj_sessions.conf import conf


class CacheUser(StoredSession):
    """A session in the cache ``SESSION_CACHE_ALIAS``, under a prefix."""

    #: Sessions share the cache with everything else: never empty, and each engine's own.
    cache_key_prefix: str

    _found_cache: BaseCache | None = None

    def __init__(self, session_key: str | None = None) -> None:
        if conf.SESSION_CACHE_ALIAS not in caches.settings:
            _ = self._cache  # raises InvalidCacheBackendError
        super().__init__(session_key)

    @property
    def _cache(self) -> BaseCache:
        # Not before it is needed: under ASGI each request gets a cache of its own made.
        if self._found_cache is None:
            self._found_cache = caches[conf.SESSION_CACHE_ALIAS]
        return self._found_cache

    @property
    def cache_key(self) -> str:
        """The cache key of this session, which gets a session key if it has none."""
        return self.cache_key_prefix + self._get_or_create_session_key()

    @twin_of(cache_key.fget)  # type: ignore[attr-defined]
    async def acache_key(self) -> str:
        key: str = await self._aget_or_create_session_key()
        return self.cache_key_prefix + key

    def _cache_key_of(self, key: str) -> str:
        """Return the cache key of the session under ``key``, also where a subclass computes it."""
        session = self if key == self._session_key else self._under(key)
        if is_async.get():
            return async_to_sync(session.acache_key)()
        return session.cache_key

    def _under(self, key: str) -> Self:
        """Return this session as it would be under another key."""
        other = copy(self)
        other._session_key = key
        return other
