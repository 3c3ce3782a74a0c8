"""What sessions take in Redis, its own tables included: of two engines, and in a cluster of three.

    python -m tests.moving.memory --sessions 1000000

The servers are started for it. One line of JSON for each has the bytes of `used_memory` and of the
process for a session, and the sessions that one client stored in a second, two hundred at a time.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import timedelta
from importlib import import_module
from typing import Any

import redis

from tests import redis_servers
from tests.clearing import measure

AT_ONCE = 200
LOGIN = {
    "_auth_user_id": "1",
    "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
    "_auth_user_hash": "f" * 64,
}


def used(ports: list[int], name: str) -> int:
    total = 0
    for port in ports:
        with redis.Redis(port=port) as client:
            total += client.info("memory")[name]
    return total


def filled(engine: str, chosen: dict[str, Any], ports: list[int], sessions: int) -> dict[str, Any]:
    from django.test import override_settings
    from django.utils import timezone

    from dj_sessions import _keys
    from dj_sessions.storage import Record

    store = import_module(f"dj_sessions.backends.{engine}").SessionStore
    names = ("used_memory", "used_memory_rss")
    before = [used(ports, name) for name in names]
    with override_settings(**chosen):
        storage, now = store().get_storage(), timezone.now()
        payload = storage.encode(LOGIN) if engine == "cache" else store().encode(LOGIN)
        record = Record(payload, now + timedelta(days=14), now)
        began = time.perf_counter()
        for place in range(0, sessions, AT_ONCE):
            number = min(AT_ONCE, sessions - place)
            storage.many("insert", [(_keys.new_key(), record) for _ in range(number)])
        seconds = time.perf_counter() - began
    sizes = [
        round((used(ports, name) - less) / sessions)
        for name, less in zip(names, before, strict=True)
    ]
    return {
        "sessions": sessions,
        **dict(zip(names, sizes, strict=True)),
        "per_second": round(sessions / seconds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1_000_000)
    sessions = parser.parse_args().sessions
    measure.set_up("dj_sessions", {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"})
    ports = [server.port for server in redis_servers._start(2)]
    nodes = [node.port for node in redis_servers.cluster_of(3)]
    cache = {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": f"redis://127.0.0.1:{ports[1]}",
    }
    cluster = {"CLUSTER": [f"127.0.0.1:{port}" for port in nodes]}
    kinds = {
        "redis": ("redis", {"SESSION_REDIS": {"URL": f"redis://127.0.0.1:{ports[0]}"}}, ports[:1]),
        "cache": ("cache", {"CACHES": {"default": cache}}, ports[1:]),
        "redis, a cluster of three": ("redis", {"SESSION_REDIS": cluster}, nodes),
    }
    for kind, (engine, chosen, asked) in kinds.items():
        print(json.dumps({"kind": kind, **filled(engine, chosen, asked, sessions)}), flush=True)


if __name__ == "__main__":
    main()
