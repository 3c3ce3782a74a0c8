"""The engine for Redis under gevent, which patches a whole process: so in one of its own."""

from __future__ import annotations

import json

import redis

from tests import fresh, redis_servers


def test_greenlets_share_a_session_and_none_gets_what_is_another_s(cache_prefixes):
    url = redis_servers.needed(redis_servers.plain)
    port = redis.connection.parse_url(url)["port"]
    command = ("-m", "gevent.monkey", "--module", "tests.storage.greenlets")
    seen = json.loads(fresh.execute(*command, str(port), f"{next(cache_prefixes)}:"))
    assert (seen["together"], seen["own"]) == (40, 40)
    assert 0 < seen["cut short"] <= 100
    assert seen["most at once"] > 20  # a greenlet that waits holds up no other
