"""Turns counters on and off, as ``SESSION_METRICS`` says."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from importlib import import_module
from inspect import iscoroutinefunction
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import Signal
from django.utils.module_loading import import_string

from dj_sessions._codec import payloads
from dj_sessions._metrics.instruments import (
    DATA_CORRUPT,
    LOGINS_REFUSED,
    RELOGINS_ASKED,
    Instrument,
)
from dj_sessions._metrics.recording import Recorder, record, recorders
from dj_sessions.conf import conf
from dj_sessions.signals import relogin_asked, session_refused

__all__ = [
    "PACKAGES",
    "BrokenClient",
    "UnknownRecorder",
    "named_in",
    "recorder_of",
    "turn_off",
    "turn_on",
]

#: The names that need no dotted path, and the packages that they need.
PACKAGES: Final = {"prometheus": "prometheus-client", "opentelemetry": "opentelemetry-api"}

logger: Final = logging.getLogger("django.contrib.sessions")
#: Of functions of the site's, in each thread.
_calls: Final = threading.local()


def turn_on() -> None:
    """Have those told that SESSION_METRICS names; log which of them cannot be."""
    turn_off()
    for name in named_in(conf.SESSION_METRICS):
        try:
            recorder = recorder_of(name)
        except UnknownRecorder as error:
            logger.error("%s", error)
        else:
            if recorder not in recorders:  # of a client that is named twice there is one
                recorders.append(recorder)
    if recorders:
        payloads.listeners.append(_data_corrupt)
        for signal, receiver in _RECEIVERS.items():
            signal.connect(receiver)


def turn_off() -> None:
    """Have nobody told any more."""
    recorders.clear()
    if _data_corrupt in payloads.listeners:
        payloads.listeners.remove(_data_corrupt)
    for signal, receiver in _RECEIVERS.items():
        signal.disconnect(receiver)


def named_in(setting: Any) -> list[Any]:
    """Return the names in SESSION_METRICS, which is None, one name or several."""
    if setting is None:
        return []
    return list(setting) if isinstance(setting, list | tuple) else [setting]


class UnknownRecorder(ImproperlyConfigured):
    """A name in SESSION_METRICS leads nowhere: what is ``said``, and the ``remedy``."""

    def __init__(self, said: str, remedy: str) -> None:
        super().__init__(f"{said} {remedy}")
        self.said, self.remedy = said, remedy


class BrokenClient(UnknownRecorder):
    """A client is not installed, or cannot count."""


def recorder_of(name: Any) -> Recorder:
    """Return what is told by a name.

    Raises UnknownRecorder for one that leads nowhere, BrokenClient if a client cannot be used.
    """
    if isinstance(name, str) and name in PACKAGES:
        return _client(name)
    why = ""
    try:
        function = import_string(name)
    except Exception as error:  # noqa: BLE001 # of the site's module: it is served all the same
        function, why = None, f" ({type(error).__name__}: {error})"
    if not callable(function) or iscoroutinefunction(function):
        known = ", ".join(map(repr, PACKAGES))
        raise UnknownRecorder(
            f"SESSION_METRICS names {name!r}, which is neither {known} nor the dotted path of a "
            f"function{why}.",
            "Name one of them, or a function of yours that takes a name, a value and a dictionary "
            "of attributes, and is not async.",
        )
    return partial(_tell, function)


def _client(name: str) -> Recorder:
    try:
        return import_module(f"dj_sessions._metrics.{name}").recorder()  # type: ignore[no-any-return]
    except ImportError as error:
        raise BrokenClient(
            f"SESSION_METRICS names {name!r}, whose package cannot be imported ({error}).",
            f"Install it: pip install {PACKAGES[name]}",
        ) from error
    except Exception as error:  # the site is served all the same
        raise BrokenClient(
            f"SESSION_METRICS names {name!r}, whose client raises {type(error).__name__} "
            f"({error}).",
            "Correct what it says. PROMETHEUS_MULTIPROC_DIR, if set, names a directory that is "
            "there, and that the process may write to.",
        ) from error


def _tell(
    function: Callable[..., object],
    instrument: Instrument,
    value: float,
    attributes: tuple[str, ...],
) -> None:
    if getattr(_calls, "is_under_way", False):  # it uses a session: of that it is not told
        return
    _calls.is_under_way = True
    try:
        function(instrument.name, value, dict(zip(instrument.attributes, attributes, strict=True)))
    finally:
        _calls.is_under_way = False


def _data_corrupt(reason: str, key: str | None) -> None:
    record(DATA_CORRUPT, 1)


def _login_refused(**kwargs: Any) -> None:
    record(LOGINS_REFUSED, 1)


def _relogin_asked(**kwargs: Any) -> None:
    record(RELOGINS_ASKED, 1)


_RECEIVERS: Final[dict[Signal, Callable[..., None]]] = {
    session_refused: _login_refused,
    relogin_asked: _relogin_asked,
}


def _follow(*, setting: str, **kwargs: object) -> None:
    if setting == "SESSION_METRICS":
        turn_on()


setting_changed.connect(_follow, dispatch_uid="dj_sessions._metrics")
