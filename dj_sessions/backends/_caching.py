"""What the two engines that use a cache share."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from types import MappingProxyType
from typing import Any

from django.core.cache import BaseCache, caches

from dj_sessions._codec import payloads
from dj_sessions._session.twins import twin_of
from dj_sessions.backends.stored import StoredSession
from dj_sessions.conf import conf
from dj_sessions.storage.caches import adapter_of


class CacheUser(StoredSession):
    """A store that keeps sessions in the cache ``SESSION_CACHE_ALIAS``, under a prefix."""

    #: Sessions share the cache with everything else: never empty, and each engine's own.
    cache_key_prefix: str

    _found_cache: BaseCache | None = None

    #: The cache keys that ``acache_key()`` told, by session key.
    _cache_keys: Mapping[str, str] = MappingProxyType({})

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

    def _decoded(self, raw: Any) -> dict[str, Any] | None:
        """Return the data of a raw value of the cache, None if it is no session's."""
        try:
            data = adapter_of(self._cache).decode(raw)
        except payloads.UNREADABLE_PICKLE as error:
            payloads.report_corruption(f"the cache cannot read it ({type(error).__name__})")
            return None
        if isinstance(data, dict):
            return data
        payloads.report_corruption(f"the cache holds a {type(data).__name__} in its place")
        return None

    @property
    def cache_key(self) -> str:
        """The cache key of this session, which gets a session key if it has none."""
        return self.cache_key_prefix + self._get_or_create_session_key()

    def _cache_key_of(self, key: str) -> str:
        """Return the cache key of the session under ``key``, also where a subclass computes it."""
        if key in self._cache_keys:
            return self._cache_keys[key]
        if key == self._session_key:
            return self.cache_key
        return self._under(key).cache_key

    def _under(self, key: str) -> CacheUser:
        """Return this session as it would be under another key."""
        other = copy(self)
        other._session_key = key
        return other

    @twin_of(cache_key.fget)  # type: ignore[attr-defined]
    async def acache_key(self) -> str:
        key: str = await self._aget_or_create_session_key()
        return self.cache_key_prefix + key

    @twin_of(StoredSession._before_io)
    async def _abefore_io(self, key: str) -> None:
        # The verbs are sync, and acache_key() may be overridden without cache_key.
        if key == self._session_key:
            self._remember_cache_key(key, await self.acache_key())
        elif key not in self._cache_keys:
            self._remember_cache_key(key, await self._under(key).acache_key())

    def _remember_cache_key(self, key: str, cache_key: str) -> None:
        self._cache_keys = {**self._cache_keys, key: cache_key}
