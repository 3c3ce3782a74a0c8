"""A second Redis, as a site writes an engine for it: here the same server by another prefix."""

from dj_sessions.backends import redis
from dj_sessions.conf import conf


class SessionStore(redis.SessionStore):
    @classmethod
    def redis_settings(cls):
        return {**conf.SESSION_REDIS, "PREFIX": f"{conf.SESSION_REDIS['PREFIX']}other:"}
