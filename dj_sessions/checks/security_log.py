"""The settings of the security log, and how much is kept of addresses."""

from __future__ import annotations

from typing import Any, Final

from django.core.checks import Error, Warning  # noqa: A004
from django.utils.module_loading import import_string

from dj_sessions.backends.stored import StoredSession
from dj_sessions.checks import _shared
from dj_sessions.checks._shared import AppConfigs, Messages
from dj_sessions.conf import conf
from dj_sessions.security_log import SecurityEvent

#: What SESSION_IP_ADDRESS may be.
ADDRESSES: Final = ("truncated", "full", "none")


def check_security_log(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report events that there are not, and an engine of which there is next to nothing to log."""
    chosen: Any = conf.SESSION_SECURITY_LOG
    known = [event.value for event in SecurityEvent]
    is_list = isinstance(chosen, list | tuple) and all(name in known for name in chosen)
    if not isinstance(chosen, bool) and not is_list:
        yield Error(
            f"SESSION_SECURITY_LOG = {chosen!r} is neither True, False nor a list of "
            f"{', '.join(map(repr, known))}.",
            hint="Set SESSION_SECURITY_LOG = True for all but 'renewed', or leave it out.",
            id="dj_sessions.E110",
        )
    elif chosen:
        yield from _check_engine()


def _check_engine() -> Messages:
    store = _shared.store_or_none()
    if store is not None and not issubclass(store, StoredSession):
        yield Warning(
            f"SESSION_SECURITY_LOG is on, but the engine {conf.SESSION_ENGINE!r} does not tell "
            "when sessions begin and end: the log has next to nothing of them.",
            hint="Set SESSION_ENGINE to an engine of 'dj_sessions.backends' that keeps records, "
            "such as 'dj_sessions.backends.db', or leave SESSION_SECURITY_LOG out.",
            id="dj_sessions.W111",
        )


def check_client_address(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report settings of which no address, or too much of it, would be kept."""
    kept: Any = conf.SESSION_IP_ADDRESS
    if kept not in ADDRESSES:
        yield Error(
            f"SESSION_IP_ADDRESS = {kept!r} is not one of {', '.join(map(repr, ADDRESSES))}.",
            hint=f"Set SESSION_IP_ADDRESS = {ADDRESSES[0]!r}, or leave it out.",
            id="dj_sessions.E087",
        )
    path: Any = conf.SESSION_CLIENT_ADDRESS
    if path is not None and not _is_function(path):
        yield Error(
            f"SESSION_CLIENT_ADDRESS = {path!r} is not the dotted path of a function.",
            hint="Name a function of yours that takes a request and returns the client's address, "
            "such as 'mysite.addresses.client_address'; or leave it out for REMOTE_ADDR.",
            id="dj_sessions.E088",
        )


def _is_function(path: Any) -> bool:
    try:
        return callable(import_string(path))
    except (ImportError, AttributeError, TypeError):
        return False
