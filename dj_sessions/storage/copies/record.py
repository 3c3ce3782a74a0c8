"""A record whose data is known without its payload."""

from __future__ import annotations

from typing import Any, Protocol

from dj_sessions.storage.base import Record


class Opens(Protocol):
    """What a form of copies knows of one."""

    def data_of(self, copy: Any) -> dict[str, Any] | None:
        """Return the data of a copy, a new one each time; None if it is corrupt."""

    def payload_of(self, copy: Any) -> Any:
        """Return the payload of the row; None if nobody can make it again."""


class CopiedRecord(Record):
    """What a cache has a copy of; ``row`` is the record that the copy was made of a moment ago.

    ``payload`` is made again when it is asked for first; None where nobody can do that.
    """

    __slots__ = ("_copy", "_first", "_form", "_payload")
    _copy: Any
    _first: list[dict[str, Any]]
    _form: Opens
    _payload: Any

    def __init__(
        self, form: Opens, copy: Any, data: dict[str, Any], row: Record | None = None
    ) -> None:
        set_ = object.__setattr__
        set_(self, "_form", form)
        set_(self, "_copy", copy)
        set_(self, "_first", [data])
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
            return self._form.data_of(self._copy)

    @property
    def payload(self) -> Any:
        """The row's payload."""
        if self._payload is None:
            object.__setattr__(self, "_payload", self._form.payload_of(self._copy))
        return self._payload
