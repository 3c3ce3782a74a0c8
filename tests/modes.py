"""One test body, two modes.

`mode.wrap(thing)` gives an object on which the test calls sync names; in async mode each call
goes to the twin (`save` to `asave`), driven by `async_to_sync`, which keeps database work in the
test's own thread. `set(key, value)` is `thing[key] = value` in sync mode and `aset` in async
mode. What has no twin, and every property, is passed through; `.raw` is the thing itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from asgiref.sync import async_to_sync, iscoroutinefunction
from django.test import AsyncClient, Client


class Adapted:
    """A thing with two modes, seen through one of them."""

    def __init__(self, raw: Any, resolve: Callable[[Any, str], Any]) -> None:
        vars(self).update(raw=raw, resolve=resolve)

    def __getattr__(self, name: str) -> Any:
        return self.resolve(self.raw, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.raw, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.raw, name)


@dataclass(frozen=True)
class Mode:
    name: str
    resolve: Callable[[Any, str], Any]
    client_class: type

    @property
    def is_async(self) -> bool:
        return self.name == "async"

    def wrap(self, thing: Any) -> Any:
        return Adapted(thing, self.resolve)

    def client(self, **options: Any) -> Any:
        """Django's test client of this mode: `client.get(...)`, `client.force_login(user)`."""
        return self.wrap(self.client_class(**options))

    def url(self, view: str) -> str:
        """The address of one of the views in tests/urls.py, written for this mode."""
        return f"/{self.name}/{view}/"


def _resolve_sync(thing: Any, name: str) -> Any:
    if name == "set" and not hasattr(thing, "set"):
        return thing.__setitem__
    return getattr(thing, name)


def _resolve_async(thing: Any, name: str) -> Any:
    owner = thing if isinstance(thing, type) else type(thing)
    if isinstance(getattr(owner, name, None), property):
        return getattr(thing, name)
    twin = getattr(thing, f"a{name}", None)
    if callable(twin):
        return _driven(twin)
    own = getattr(thing, name)
    return _driven(own) if iscoroutinefunction(own) else own


def _driven(function: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return async_to_sync(call)


MODES = (Mode("sync", _resolve_sync, Client), Mode("async", _resolve_async, AsyncClient))
