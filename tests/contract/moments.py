"""Act between two storage calls, as another request would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any
from unittest import mock

from dj_sessions.storage import Storage
from tests.stores import in_thread


@contextmanager
def instead(owner: Any, name: str, method: Callable[..., Any]) -> Iterator[None]:
    """Put a sync method in place of a storage's own, for async code as well."""
    twin = f"a{name}"
    with mock.patch.object(owner, name, method):
        if not getattr(owner, "async_native", False):
            yield
            return
        # As in a storage that has no twin of its own: it calls the method in a thread.
        with mock.patch.object(owner, twin, getattr(Storage, twin)):
            yield


@contextmanager
def after(owner: Any, name: str, act: Callable[[], Any]) -> Iterator[list[Any]]:
    """Call `act` in a thread of its own, once, when the method `name` has just returned."""
    yield from _around(owner, name, act, is_before=False)


@contextmanager
def before(owner: Any, name: str, act: Callable[[], Any]) -> Iterator[list[Any]]:
    """Call `act` in a thread of its own, once, when the method `name` is about to be called."""
    yield from _around(owner, name, act, is_before=True)


def _around(
    owner: Any, name: str, act: Callable[[], Any], *, is_before: bool
) -> Iterator[list[Any]]:
    original = getattr(owner, name)
    acted: list[Any] = []

    def once() -> None:
        if not acted:
            acted.append(None)  # the other request passes here, too
            acted[0] = in_thread(act)

    @wraps(original)
    def method(*args: Any, **kwargs: Any) -> Any:
        if is_before:
            once()
        result = original(*args, **kwargs)
        once()
        return result

    with instead(owner, name, method):
        yield acted
    assert acted, f"{name} was not called"
