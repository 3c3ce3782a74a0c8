"""A record whose data is known without its payload."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dj_sessions.storage.base import Record


class CopiedRecord(Record):
    """What a cache has a copy of; ``row`` is the record that the copy was made of a moment ago.

    ``payload`` is made again when it is asked for first; None where nobody can do that.
    """

    __slots__ = ("_decode", "_first", "_payload", "_rebuild")
    _decode: Callable[[], dict[str, Any] | None]
    _first: list[dict[str, Any]]
    _payload: Any
    _rebuild: Callable[[dict[str, Any]], Any] | None

    def __init__(
        self,
        data: dict[str, Any],
        decode: Callable[[], dict[str, Any] | None],
        rebuild: Callable[[dict[str, Any]], Any] | None,
        row: Record | None = None,
    ) -> None:
        set_ = object.__setattr__
        set_(self, "_first", [data])
        set_(self, "_decode", decode)
        set_(self, "_rebuild", rebuild)
        set_(self, "_payload", None if row is None else row.payload)
        set_(self, "expiry", None if row is None else row.expiry)
        set_(self, "modified", None if row is None else row.modified)
        set_(self, "forward", None)

    @property
    def data(self) -> dict[str, Any] | None:
        """The data, a new copy each time."""
        try:
            return self._first.pop()
        except IndexError:
            return self._decode()

    @property
    def payload(self) -> Any:
        """The row's payload."""
        if self._payload is None and self._rebuild is not None:
            payload = self._rebuild(self._decode() or {})
            object.__setattr__(self, "_payload", payload)
        return self._payload
