"""The clients of redis-py that SESSION_REDIS asks for; making them connects to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any, Final

import redis
from django.utils.module_loading import import_string
from redis import asyncio
from redis.asyncio import retry as async_retry
from redis.asyncio import sentinel as async_sentinel
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel

from dj_sessions.storage.caches.redis_pool import SessionPool
from dj_sessions.storage.caches.redis_steps import is_cluster
from dj_sessions.storage.redis.configuration import nodes

#: Seconds that an operation in an event loop takes at most, all its attempts together, and after
#: which a step without scripts begins no other one.
LIMIT: Final = 0.95

#: What SESSION_REDIS["OPTIONS"] may change. With two attempts a silent server costs a second at
#: most: of connecting, and of waiting for an answer.
TIMEOUTS: Final = {"socket_connect_timeout": 0.25, "socket_timeout": 0.45}
RETRIES: Final = 1

#: Seconds for an answer of a node of a cluster in an event loop. Only from its own errors does
#: redis-py learn that it is to ask the others, and two attempts come before LIMIT.
NODE_TIMEOUT: Final = 0.4

#: As many connections for each event loop; who finds all of them in use waits.
CONNECTIONS: Final = 100

ERRORS: Final = [redis.ConnectionError, redis.TimeoutError]


class Clients:
    """Makes the sync client, and one asyncio client for each event loop."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        options = dict(config.get("OPTIONS", {}))
        self._config = config
        self._retries = options.pop("retries", RETRIES)
        self._options = options
        if "URL" in config:  # which may have options of its own, and they come first
            options = options | dict(parse_url(config["URL"]))  # type: ignore[no-untyped-call]
        #: How many commands an event loop sends at a time.
        self.turns: int = options.get("max_connections", CONNECTIONS)
        #: Seconds for an operation in an event loop; None where the site sets a limit of its own.
        self.limit = None if "CLIENT" in config or "socket_timeout" in options else LIMIT
        #: Whether these are clients of a cluster; None until the site has made one itself.
        self.is_cluster = None if "CLIENT" in config else "CLUSTER" in config

    def make(self) -> Any:
        """Return the client of sync code; that of a cluster connects."""
        config, options = self._config, self._all_options(Retry(NoBackoff(), self._retries))
        if "CLIENT" in config:
            return self.note(import_string(config["CLIENT"])())
        if "CLUSTER" in config:
            make_node: Any = redis.cluster.ClusterNode
            start = [make_node(*place) for place in nodes(config["CLUSTER"])]
            return redis.RedisCluster(startup_nodes=start, **options)
        if "SENTINEL" in config:
            master, _ = self._master(Sentinel, options)
            return master
        return redis.Redis(connection_pool=SessionPool.from_url(config["URL"], **options))

    def make_async(self) -> list[Any]:
        """Return the client of one event loop, and those of Sentinels that it asks.

        They connect when they are used, and are to be closed.
        """
        config = self._config
        options = self._all_options(async_retry.Retry(NoBackoff(), self._retries))
        if self.limit is not None:
            # For the whole operation there is one.
            options["socket_timeout"] = NODE_TIMEOUT if "CLUSTER" in config else None
        options.setdefault("max_connections", CONNECTIONS)
        if "CLIENT" in config:
            return [self.note(import_string(config["ASYNC_CLIENT"])())]
        if "CLUSTER" in config:
            start = [asyncio.cluster.ClusterNode(*place) for place in nodes(config["CLUSTER"])]
            # A slot that has moved is noted, and the connections that others use are left open.
            options.setdefault("reinitialize_steps", 0)
            return [asyncio.RedisCluster(startup_nodes=start, **options)]
        if "SENTINEL" in config:
            master, sentinels = self._master(async_sentinel.Sentinel, options)
            return [master, *sentinels]
        return [asyncio.Redis.from_url(config["URL"], **options)]

    def note(self, client: Any) -> Any:
        """Note of which kind a client of the site's own is, and return it."""
        self.is_cluster = self.is_cluster or is_cluster(client)
        return client

    def _all_options(self, retry: Any) -> dict[str, Any]:
        options = {**TIMEOUTS, "retry": retry, **self._options}
        if "CLUSTER" not in self._config:
            options["retry_on_error"] = ERRORS  # which some releases of redis-py ask for
        if str(self._config.get("URL")).startswith("unix:"):
            options.pop("socket_connect_timeout")
        return options

    def _master(self, kind: Any, options: dict[str, Any]) -> tuple[Any, list[Any]]:
        wanted = self._config["SENTINEL"]
        own = self.sentinel_options(type(options["retry"]))
        manager = kind(nodes(wanted["SENTINELS"]), sentinel_kwargs=own, **options)
        return manager.master_for(wanted["SERVICE"]), manager.sentinels

    def sentinel_options(self, make_retry: Any) -> dict[str, Any]:
        """Return the options of the clients that ask Sentinels."""
        wanted = self._config["SENTINEL"]
        # Those that do not answer leave time for the others: all are asked within one attempt.
        count = len(wanted["SENTINELS"])
        options = {name: seconds / count for name, seconds in TIMEOUTS.items()}
        options |= wanted.get("OPTIONS", {})
        options["retry"] = make_retry(NoBackoff(), options.pop("retries", 0))
        return options


def refusal(config: Mapping[str, Any]) -> str:
    """Return what redis-py does not take, and what it says of it; empty if it takes all."""
    where = "URL or OPTIONS" if "URL" in config else "OPTIONS"
    try:
        if "CLUSTER" in config:
            known = signature(asyncio.RedisCluster.__init__).parameters
            unknown = sorted(set(config.get("OPTIONS", ())) - {*known, "retries"})
            return f"{where}: there is no option {', '.join(unknown)}" if unknown else ""
        if "CLIENT" not in config:
            clients = Clients(config)
            if "SENTINEL" in config:
                where = "SENTINEL['OPTIONS']"
                _try(redis.Redis(**clients.sentinel_options(Retry)))
                where = "OPTIONS"
            _try(clients.make())
    except (TypeError, ValueError, redis.RedisError) as error:
        return f"{where}: {error}".rstrip(".")
    return ""


def _try(client: Any) -> None:
    """Make a connection, which connects to nothing yet."""
    client.connection_pool.make_connection()
