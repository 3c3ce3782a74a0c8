"""Sessions in Redis or Valkey, without a cache in between."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured

from dj_sessions.backends.base import CreateError, SessionBase, UpdateError
from dj_sessions.backends.stored import StoredSession
from dj_sessions.conf import conf
from dj_sessions.storage import Storage

try:
    from dj_sessions.storage.redis.configuration import prefix_of
    from dj_sessions.storage.redis.server import server_of
    from dj_sessions.storage.redis.storage import RedisStorage
except ModuleNotFoundError as error:
    if error.name != "redis":
        raise
    raise ImproperlyConfigured(
        "dj_sessions.backends.redis needs redis-py, which is not installed. Run: pip install redis"
    ) from error

__all__ = ["CreateError", "SessionBase", "SessionStore", "UpdateError"]


class SessionStore(StoredSession):
    """Sessions as signed text in Redis, which forgets them in time; see ``SESSION_REDIS``."""

    engine_name = "redis"

    @classmethod
    def redis_settings(cls) -> dict[str, Any] | None:
        """Return where the server is; override it for one that is not that of SESSION_REDIS."""
        return conf.SESSION_REDIS

    def get_storage(self) -> Storage:
        """Return the entries of the server that the settings name."""
        settings = self.redis_settings()
        return RedisStorage(server_of(settings), prefix_of(settings), self._makes_own_keys)
