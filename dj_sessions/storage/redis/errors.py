"""The errors that tasks of an event loop get."""

from __future__ import annotations

from copy import copy

from redis.exceptions import TimeoutError as RedisTimeoutError


def late(limit: float | None) -> RedisTimeoutError:
    """Return the error of a server that has not answered in time."""
    return RedisTimeoutError(f"Redis has not answered within {limit} s")


def own(error: Exception) -> Exception:
    """Return an error for one of several tasks, in whose traceback are no frames of the others."""
    try:
        copied = copy(error)
    except Exception:  # noqa: BLE001 - its class takes other arguments than it keeps
        return error
    copied.__cause__ = error
    return copied
