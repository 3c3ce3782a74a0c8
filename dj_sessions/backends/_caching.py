"""What the two engines that use a cache share: the cache, and the names of its entries."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Final

from asgiref.sync import async_to_sync
from django.core.cache import BaseCache, caches

from dj_sessions._session.twin_makers import is_async
from dj_sessions._session.twins import twin_of
from dj_sessions.backends.stored import StoredSession
from dj_sessions.conf import conf

#: What a subclass may override that names an entry.
_naming: Final[Any] = attrgetter(
    "cache_key", "acache_key", "_get_or_create_session_key", "_aget_or_create_session_key"
)


class CacheUser(StoredSession):
    """A session in the cache ``SESSION_CACHE_ALIAS``, under a prefix."""

    #: Sessions share the cache with everything else: never empty, and each engine's own.
    cache_key_prefix: str

    _found_cache: BaseCache | None = None

    def __init__(self, session_key: str | None = None) -> None:
        self._cache_alias = conf.SESSION_CACHE_ALIAS
        if self._cache_alias not in caches.settings:
            _ = self._cache  # raises InvalidCacheBackendError
        super().__init__(session_key)

    @property
    def _cache(self) -> BaseCache:
        # Not before it is needed: under ASGI each request gets a cache of its own made.
        if self._found_cache is None:
            self._found_cache = caches[self._cache_alias]
        return self._found_cache

    @property
    def cache_key(self) -> str:
        """The cache key of this session, which gets a session key if it has none."""
        return self.cache_key_prefix + self._name_of(self._get_or_create_session_key())

    @twin_of(cache_key.fget)  # type: ignore[attr-defined]
    async def acache_key(self) -> str:
        key: str = await self._aget_or_create_session_key()
        return self.cache_key_prefix + self._name_of(key)

    def _cache_key_of(self, name: str) -> str:
        """Return the cache key of a session under ``name``, also where a subclass computes it."""
        if _naming(type(self)) == _naming(CacheUser):
            return self.cache_key_prefix + name
        session = self if name == self._session_key else self._under(name)
        if is_async.get():
            return async_to_sync(session.acache_key)()
        return session.cache_key
