"""Django's documented example of a cached_db engine for a model of one's own."""

from __future__ import annotations

from typing import Any

from dj_sessions.backends.cached_db import SessionStore as CachedStore


class SessionStore(CachedStore):
    cache_key_prefix = "accounts.cached_db."

    @classmethod
    def get_model_class(cls) -> Any:
        from tests.subclasses.models import AccountSession

        return AccountSession
