"""Every model lives in the database that the current test chose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

# A plain global, as the threads that a test starts must see the test's choice.
_chosen = "default"
_replica: str | None = None


class Router:
    def db_for_read(self, model: type, **hints: object) -> str:
        return _replica or _chosen

    def db_for_write(self, model: type, **hints: object) -> str:
        return _chosen

    def allow_relation(self, one: object, other: object, **hints: object) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: object) -> bool:
        return True


def chosen() -> str:
    return _chosen


@contextmanager
def use(alias: str) -> Iterator[None]:
    """Route every model to `alias` inside the block, in all threads."""
    global _chosen
    before, _chosen = _chosen, alias
    try:
        yield
    finally:
        _chosen = before


@contextmanager
def reading_from(alias: str) -> Iterator[None]:
    """Route what is only read to `alias` inside the block, in all threads."""
    global _replica
    before, _replica = _replica, alias
    try:
        yield
    finally:
        _replica = before
