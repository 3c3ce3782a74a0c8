"""The limits of the cache engine: the client library's commands, on bytes, without a cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.conf import settings

from tests.benchmarks.sampling import Calls
from tests.benchmarks.subjects import DATA, closers

AGE = 1_209_600


@dataclass(frozen=True)
class Commands:
    """The commands that an operation needs, on one server."""

    get: Callable[[str], Any]
    add: Callable[[str], Any]
    put: Callable[[str], Any]
    delete: Callable[[str], Any]


def subject(name: str) -> Calls:
    """The subject `client <operation>`."""
    _, operation = name.split(" ", 1)
    cache = settings.CACHES[settings.SESSION_CACHE_ALIAS]
    make = _redis if "redis" in str(cache["BACKEND"]).lower() else _memcached
    prefix = f"{cache['KEY_PREFIX']}:bare:"
    return _operation(make(cache["LOCATION"]), operation, lambda: prefix + uuid4().hex)


def _redis(location: str) -> Commands:
    import redis

    client, value = redis.Redis.from_url(location), _value()
    closers.append(client.close)
    return Commands(
        client.get,
        lambda key: client.set(key, value, ex=AGE, nx=True),
        lambda key: client.set(key, value, ex=AGE),
        client.delete,
    )


def _memcached(location: str) -> Commands:
    from pymemcache.client.base import Client

    client, value = Client(location, default_noreply=False), _value()
    closers.append(client.close)
    return Commands(
        client.get,
        lambda key: client.add(key, value, AGE),
        lambda key: client.set(key, value, AGE),
        client.delete,
    )


def _value() -> bytes:
    """As many bytes as a cache stores for the session."""
    import pickle

    return pickle.dumps(DATA, pickle.HIGHEST_PROTOCOL)


def _operation(commands: Commands, operation: str, new_key: Callable[[], str]) -> Calls:
    key = new_key()
    commands.put(key)

    def stored() -> str:
        other = new_key()
        commands.put(other)
        return other

    def cycle(keys: tuple[str, str]) -> None:
        commands.add(keys[0])
        commands.delete(keys[1])

    def change(_: object) -> None:
        commands.get(key)
        commands.put(key)

    return {
        "create": Calls(commands.add, make=new_key, tidy=commands.delete),
        "load": Calls(lambda _: commands.get(key)),
        "save": Calls(lambda _: commands.put(key)),
        "save after load": Calls(change),
        "cycle_key": Calls(
            cycle, make=lambda: (new_key(), stored()), tidy=lambda keys: commands.delete(keys[0])
        ),
        "flush": Calls(commands.delete, make=stored),
    }[operation]
