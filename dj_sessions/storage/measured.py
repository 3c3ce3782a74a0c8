"""A storage around a storage that tells how long each operation takes, and which of them fail."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, Final

from dj_sessions._metrics.instruments import STORAGE_DURATION, STORAGE_ERRORS
from dj_sessions._metrics.recording import record
from dj_sessions.exceptions import SessionEncodeError
from dj_sessions.storage.base import Storage
from dj_sessions.storage.wrapper import StorageWrapper

#: What requests do with sessions. Commands that go through all of them are not measured.
OPERATIONS: Final = (
    *("read", "read_latest", "read_renamed", "holds"),
    *("insert", "replace", "remove", "move", "rename"),
)
#: So many classes of errors are told apart, by their names; all others have one.
MOST_ERRORS: Final = 100
OTHER: Final = "_OTHER"

_errors: Final[set[str]] = set()


class MeasuredStorage(StorageWrapper):
    """A storage whose operations are recorded under the name of an ``engine``."""

    def __init__(self, inner: Storage, engine: str) -> None:
        super().__init__(inner)
        self._engine = engine

    def _overrides(self, name: str) -> bool:
        return False  # the records are those of the storage inside


def _measured(operation: str) -> Callable[..., Any]:
    def call(self: MeasuredStorage, *args: Any, **kwargs: Any) -> Any:
        began = perf_counter()
        try:
            result = getattr(self.inner, operation)(*args, **kwargs)
        except Exception as error:
            _failed(self, operation, began, error)
            raise
        record(STORAGE_DURATION, perf_counter() - began, self._engine, operation)
        return result

    call.__doc__ = f"``{operation}()`` of the storage inside, timed."
    return call


def _measured_twin(operation: str) -> Callable[..., Any]:
    twin = f"a{operation}"

    async def call(self: MeasuredStorage, *args: Any, **kwargs: Any) -> Any:
        began = perf_counter()
        try:
            result = await getattr(self.inner, twin)(*args, **kwargs)
        except Exception as error:
            _failed(self, operation, began, error)
            raise
        record(STORAGE_DURATION, perf_counter() - began, self._engine, operation)
        return result

    call.__doc__ = f"``{operation}()`` of the storage inside, timed."
    return call


def _failed(storage: MeasuredStorage, operation: str, began: float, error: Exception) -> None:
    engine = storage._engine
    record(STORAGE_DURATION, perf_counter() - began, engine, operation)
    if not isinstance(error, SessionEncodeError):  # of the view, whose value no store can hold
        record(STORAGE_ERRORS, 1, engine, operation, _name_of(type(error)))


def _name_of(kind: type[Exception]) -> str:
    """Return the name of a class of errors: a client that makes such classes may make many."""
    name = kind.__qualname__
    if name in _errors or len(_errors) < MOST_ERRORS:
        _errors.add(name)
        return name
    return OTHER


for _operation in OPERATIONS:
    setattr(MeasuredStorage, _operation, _measured(_operation))
    setattr(MeasuredStorage, f"a{_operation}", _measured_twin(_operation))
