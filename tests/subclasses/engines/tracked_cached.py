"""The store of tracked.py in front of the cache: two parents, each with half of the behaviour."""

from dj_sessions.backends.cached_db import SessionStore as CachedStore
from tests.subclasses.engines.tracked import SessionStore as TrackedStore


class SessionStore(TrackedStore, CachedStore):
    cache_key_prefix = "tracked.cached_db"
