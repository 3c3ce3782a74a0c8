"""SESSION_REDIS, and on demand the server that it names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.core.checks import Error, Warning  # noqa: A004

from dj_sessions.checks import _shared
from dj_sessions.checks._shared import AppConfigs, Messages, Unusable, use
from dj_sessions.storage.redis import configuration

#: The one policy with which Redis forgets no session before its end.
KEEPING: Final = "noeviction"

#: Milliseconds for which what is stored to see whether Redis stores anything stays at most.
CHECK_AGE: Final = 60_000


def check_redis(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report a SESSION_REDIS that names no server, or options that redis-py does not take."""
    store = _shared.store_or_none()
    if not hasattr(store, "redis_settings"):
        return
    config = store.redis_settings()
    found = list(configuration.problems(config))
    for problem in found:
        yield Error(f"{problem.what}.", hint=problem.hint, id=problem.id)
    if found:
        return
    from dj_sessions.storage.redis.clients import refusal

    refused = refusal(config)
    if refused:
        yield Error(
            f"redis-py does not take what SESSION_REDIS has as {refused}.",
            hint="Write an option of redis-py's client, such as {'socket_timeout': 1}.",
            id="dj_sessions.E076",
        )


def check_redis_server(
    app_configs: AppConfigs, databases: Iterable[str] | None = None, **kwargs: Any
) -> Messages:
    """Report a server that keeps no sessions, that forgets them, or that runs no scripts.

    It connects, so it does nothing without ``--database``.
    """
    for store in _shared.stores() if databases else ():
        if hasattr(store, "redis_settings"):
            yield from _check_server(store.redis_settings())


def _check_server(config: Any) -> Messages:
    if any(configuration.problems(config)):  # check_redis() or check_move() reports them
        return
    from dj_sessions.storage.redis.server import server_of
    from dj_sessions.storage.redis.steps import Step

    server = server_of(config)
    name = f"{configuration.prefix_of(config)}#check"  # no session key
    try:
        use(server.send, "SET", name, "", "PX", CHECK_AGE)  # as a replica answers all but writes
        use(server.take, Step(name, b"", 0))
    except Unusable as error:
        yield Error(
            f"The Redis of SESSION_REDIS keeps no sessions: {error}.",
            hint="Start it, or correct its address, the password, or what the user may do there.",
            id="dj_sessions.E077",
        )
        return
    yield from _check_policy(server.client)
    if not server.runs_scripts:
        yield Warning(
            "Redis runs no scripts for the user in SESSION_REDIS: a save takes three round trips "
            "instead of one.",
            hint="Give the user +eval and +evalsha.",
            id="dj_sessions.W079",
        )


def memory_policies(client: Any) -> set[str]:
    """Return what each server does when its memory is full; nothing if this user may not ask."""
    try:
        facts = use(client.info, "memory")
    except Unusable:
        return set()
    return {each["maxmemory_policy"] for each in _of_each_node(facts)}


def _check_policy(client: Any) -> Messages:
    for policy in sorted(memory_policies(client) - {KEEPING}):
        which = "any session" if policy.startswith("allkeys") else "sessions, which have an end,"
        yield Warning(
            f"The Redis of SESSION_REDIS has maxmemory-policy = {policy}: when its memory is full "
            f"it removes {which} and their visitors are logged out.",
            hint=f"Set maxmemory-policy to {KEEPING}, and give sessions a Redis of their own.",
            id="dj_sessions.W078",
        )


def _of_each_node(facts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what each server says: a cluster answers by node."""
    nodes = [each for each in facts.values() if isinstance(each, Mapping)]
    found = nodes if "maxmemory_policy" not in facts else [facts]
    return [each for each in found if "maxmemory_policy" in each]
