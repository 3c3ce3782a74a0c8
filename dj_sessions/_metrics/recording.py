"""Where the other rooms tell what happens, if there is somebody to be told.

They ask first: ``if recorders: record(SAVES, 1, engine, "new")``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from dj_sessions._codec.log_rate import LogRate
from dj_sessions._metrics.instruments import Instrument

__all__ = ["Recorder", "engine_name", "engine_of", "record", "recorders"]

#: Takes a value of an instrument, with one text for each of its attributes. It waits for nothing.
Recorder: TypeAlias = Callable[[Instrument, float, tuple[str, ...]], object]

#: Those that are told.
recorders: Final[list[Recorder]] = []

logger: Final = logging.getLogger("django.contrib.sessions")
_failures: Final = LogRate()
_OURS: Final = "dj_sessions.backends."


def record(instrument: Instrument, value: float, *attributes: str) -> None:
    """Tell all recorders; what one of them raises is logged, and no session is lost by it."""
    for recorder in recorders:
        try:
            recorder(instrument, value, attributes)
        except Exception as error:  # noqa: BLE001 # of the site's function; it is logged
            said = f"{instrument.name} could not be recorded: {type(error).__name__}: {error}"
            _failures.admit(logger.error, said)


def engine_of(session: Any) -> str:
    """Return the name of a session's engine, such as "db"; of one of the site's own its module."""
    return engine_name(type(session))


def engine_name(store: type) -> str:
    """Return the name of the engine whose ``SessionStore`` is ``store``."""
    return store.__module__.removeprefix(_OURS)
