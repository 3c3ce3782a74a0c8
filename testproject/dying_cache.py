"""A cache that can be told to refuse connections, and the engines on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.sessions.backends import cache as django_cache
from django.contrib.sessions.backends import cached_db as django_cached_db
from django.core.cache import BaseCache, caches
from django.core.cache.backends.locmem import LocMemCache

from dj_sessions.backends import cache, cached_db
from testproject.sides import DJANGO, OURS

ALIAS = "dying"


class DyingCache(LocMemCache):
    """Local memory that refuses connections for a while, as a server does that has died.

    Django gives each thread an instance of its own, so one visitor's outage is not another's.
    """

    is_down = False

    def validate_key(self, key: str) -> None:
        """Every operation begins here."""
        if self.is_down:
            raise ConnectionRefusedError("Connection refused")
        super().validate_key(key)


@contextmanager
def outage() -> Iterator[None]:
    """The time in which this thread's cache is down."""
    dying: Any = caches[ALIAS]
    dying.is_down = True
    try:
        yield
    finally:
        dying.is_down = False


class OnDyingCache:
    """Django's engine as it is, with another cache than that of SESSION_CACHE_ALIAS."""

    @property
    def _cache(self) -> BaseCache:
        return caches[ALIAS]

    @_cache.setter
    def _cache(self, cache: BaseCache) -> None:
        """The engine sets it to the one of the setting."""


class DjangoCacheStore(OnDyingCache, django_cache.SessionStore):
    pass


class DjangoCachedDBStore(OnDyingCache, django_cached_db.SessionStore):
    pass


class OursOnDyingCache:
    """The same of ours, which looks for its cache when it needs it."""

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self._cache_alias = ALIAS


class OurCacheStore(OursOnDyingCache, cache.SessionStore):
    pass


class OurCachedDBStore(OursOnDyingCache, cached_db.SessionStore):
    @classmethod
    def _watch_rows(cls) -> None:
        """Nobody else ends its rows, and a receiver would have Django's engines send more."""


STORES = {
    "cache": {DJANGO: DjangoCacheStore, OURS: OurCacheStore},
    "cached_db": {DJANGO: DjangoCachedDBStore, OURS: OurCachedDBStore},
}
