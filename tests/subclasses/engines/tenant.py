"""A cached_db engine that computes its cache key: each tenant's sessions apart."""

from __future__ import annotations

from contextvars import ContextVar

from dj_sessions.backends.cached_db import SessionStore as CachedStore

tenant: ContextVar[str] = ContextVar("tenant", default="public")


class SessionStore(CachedStore):
    @property
    def cache_key(self) -> str:
        return f"{tenant.get()}:{self.cache_key_prefix}{self._get_or_create_session_key()}"
