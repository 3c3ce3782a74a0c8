"""Names of session files as people may see them: errors of the system would show the whole key."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

from dj_sessions import _keys


class HasFiles(Protocol):
    """A storage, as far as it is asked here."""

    @property
    def place(self) -> Any:
        """The path of the file that a session of ``NO_KEY`` would have."""


P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=HasFiles)

#: In place of a key.
NO_KEY: Final = "0" * _keys.LENGTH


def shortened(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Have the OSErrors that a method raises name a file by the beginning of its key."""

    @wraps(method)
    def call(self: S, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except OSError as error:
            _shorten_in(error, str(self.place).removesuffix(NO_KEY))
            raise

    return call  # type: ignore[return-value] # what mypy makes of wraps()


def _shorten_in(error: BaseException | None, beginning: str) -> None:
    while error is not None:
        for attribute in ("filename", "filename2"):
            path = getattr(error, attribute, None)
            if isinstance(path, str) and path.startswith(beginning) and path != beginning:
                shown = beginning + _keys.shorten(path.removeprefix(beginning))
                setattr(error, attribute, shown)
        error = error.__context__
