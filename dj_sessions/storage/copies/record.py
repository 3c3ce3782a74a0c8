"""A record whose data is known without its payload."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from dj_sessions.storage.base import Record


class Opens(Protocol):
    """What a form of copies knows of one."""

    def data_of(self, copy: Any) -> dict[str, Any] | None:
        """Return the data of a copy, a new one each time; None if it is corrupt."""

    def payload_of(self, copy: Any) -> Any:
        """Return the payload of the row; None if nobody can make it again."""

    def remainder_of(self, copy: Any) -> str:
        """Return what the payload of the row has beyond the data; empty if nobody knows."""


class CopiedRecord(Record):
    """What a cache has a copy of; ``row`` is the record that the copy was made of a moment ago.

    ``payload`` is made again when it is asked for first; None where nobody can do that.
    """

    __slots__ = ("_copy", "_first", "_form", "_payload", "_row")
    _copy: Any
    _first: list[dict[str, Any]]
    _form: Opens
    _payload: Any
    _row: Record | None

    forward = None

    def __init__(
        self, form: Opens, copy: Any, data: dict[str, Any], row: Record | None = None
    ) -> None:
        set_ = object.__setattr__
        set_(self, "_form", form)
        set_(self, "_copy", copy)
        set_(self, "_first", [data])
        set_(self, "_payload", None if row is None else row.payload)
        set_(self, "_row", row)

    @property
    def expiry(self) -> datetime | None:
        """When the session ends, as far as the row says."""
        return None if self._row is None else self._row.expiry

    @property
    def modified(self) -> datetime | None:
        """When it was changed, as far as the row says."""
        return None if self._row is None else self._row.modified

    @property
    def data(self) -> dict[str, Any] | None:
        """The data, a new copy each time."""
        try:
            return self._first.pop()
        except IndexError:
            return self._form.data_of(self._copy)

    @property
    def payload(self) -> Any:
        """The row's payload."""
        if self._payload is None:
            object.__setattr__(self, "_payload", self._form.payload_of(self._copy))
        return self._payload

    @property
    def remainder(self) -> str:
        """What the row's payload has beyond the data."""
        return self._form.remainder_of(self._copy)
