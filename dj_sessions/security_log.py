"""The security log: one line for each event in the lives of sessions, by a logger of its own.

The logger is ``dj_sessions.security``. The facts are attributes of the record (``FIELDS``), and in
the message as ``name=value``. No key is among them, and no control character. The log is on where
``SESSION_SECURITY_LOG`` says so when the site starts; off, nothing listens.

https://cheatsheetseries.owasp.org/cheatsheets/Logging_Cheat_Sheet.html
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

from django.dispatch import Signal

from dj_sessions import _keys
from dj_sessions._codec import payloads
from dj_sessions._codec.log_rate import MOST, LogRate
from dj_sessions.conf import conf
from dj_sessions.privacy import address_of
from dj_sessions.registry import (
    UNKNOWN,
    Mode,
    Registry,
    Save,
    current_request,
    register,
    registries,
)
from dj_sessions.signals import EndReason, relogin_asked, session_key_refused, session_refused

__all__ = ["FIELDS", "SecurityEvent", "turn_off", "turn_on"]

logger: Final = logging.getLogger("dj_sessions.security")


class SecurityEvent(StrEnum):
    """What the log tells of: ``session_event`` of a record."""

    #: A session was stored for the first time.
    STARTED = "started"
    #: A session was saved with another user than before, as after a login.
    BOUND = "bound"
    #: A session was saved without the user that it had, and goes on.
    UNBOUND = "unbound"
    #: A session goes on under another key, as in a login.
    KEY_CHANGED = "key-changed"
    #: An unchanged session was saved, so its lifetime starts anew. Logged if it is named.
    RENEWED = "renewed"
    #: A session was ended; ``reason`` is an EndReason.
    ENDED = "ended"
    #: A request has brought a key without a session; ``reason`` is a RefusalReason.
    KEY_REFUSED = "key-refused"
    #: The data of a session is corrupt or forged, and was not used; ``reason`` says what is wrong.
    DATA_CORRUPT = "data-corrupt"
    #: A login was refused, as the user has too many sessions.
    LOGIN_REFUSED = "login-refused"
    #: A user has to log in again, as the last login is too long ago.
    RELOGIN_ASKED = "relogin-asked"


#: What each record has as attributes, None where it does not apply.
FIELDS: Final = (
    "session_event",
    "public_id",
    "old_public_id",
    "user_id",
    "address",
    "reason",
    "left_out",
)
#: In place of ``reason``, where a process begins to count instead of to log.
TOO_MANY: Final = "too-many"
#: What a site should look at; the others are logged at level INFO.
WARNINGS: Final = frozenset(
    {SecurityEvent.KEY_REFUSED, SecurityEvent.DATA_CORRUPT, SecurityEvent.LOGIN_REFUSED}
)
#: Characters of a value that are logged.
LONGEST: Final = 200
#: What needs no quotes in a message.
_PLAIN: Final = re.compile(r'[^\s"=]+')

#: Of what anybody can cause by a cookie, a process logs so many lines in a minute.
rates: Final = {
    SecurityEvent.KEY_REFUSED: LogRate(),
    SecurityEvent.DATA_CORRUPT: LogRate(),
}


def log(event: SecurityEvent, **facts: Any) -> None:
    """Log an event with those of ``FIELDS`` that are known, if it is to be logged."""
    level = logging.WARNING if event in WARNINGS else logging.INFO
    if event not in _chosen() or not logger.isEnabledFor(level):
        return
    rate = rates.get(event)
    place, left_out = (1, 0) if rate is None else rate.count()
    if place > MOST + 1:
        return
    facts = {"reason": TOO_MANY} if place > MOST else facts | {"address": _address()}
    known = {name: _clean(value) for name, value in facts.items() if value is not None}
    record = dict.fromkeys(FIELDS) | {"session_event": event.value} | known
    record["left_out"] = left_out or None
    logger.log(level, "%s", _in_words(record), extra=record)


def _chosen() -> Any:
    chosen = conf.SESSION_SECURITY_LOG
    if chosen is True:
        return frozenset(SecurityEvent) - {SecurityEvent.RENEWED}
    return chosen or ()


def _address() -> str | None:
    """Return from where the request comes in which this happens, as far as it is kept."""
    request = current_request.get()
    try:
        return None if request is None else address_of(request)
    except Exception:  # of the site's function: no session is lost by what cannot be logged
        logging.getLogger("django.contrib.sessions").exception(
            "The client's address could not be found for the security log"
        )
        return None


def _clean(value: Any) -> str:
    """Return a value that can begin no line of its own, nor turn the direction of one."""
    text = str(value)[:LONGEST]
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _in_words(record: dict[str, Any]) -> str:
    shown = {name: str(value) for name, value in record.items() if value is not None}
    return " ".join(
        f"{name}={value if _PLAIN.fullmatch(value) else json.dumps(value)}"
        for name, value in shown.items()
    )


class SecurityLog(Registry):
    """Logs what registries are told of."""

    async def saved(self, mode: Mode, save: Save) -> None:
        public_id, previous = save.public_id, save.stored_owner
        if save.is_new and save.old_public_id is None:
            log(SecurityEvent.STARTED, public_id=public_id, user_id=save.owner)
        if save.owner is not None and save.owner != previous:
            log(SecurityEvent.BOUND, public_id=public_id, user_id=save.owner)
        elif save.owner is None and previous not in (None, UNKNOWN):
            log(SecurityEvent.UNBOUND, public_id=public_id, user_id=previous)
        elif not save.is_new and not save.session.modified:
            log(SecurityEvent.RENEWED, public_id=public_id, user_id=save.owner)

    async def key_changed(self, mode: Mode, session: Any, old_id: str, public_id: str) -> None:
        facts = {"old_public_id": old_id, "user_id": _user_of(session)}
        log(SecurityEvent.KEY_CHANGED, public_id=public_id, **facts)

    async def ended(
        self, mode: Mode, session: Any, public_id: str, reason: EndReason | None
    ) -> None:
        if reason is not None:
            user_id = _user_of(session)
            log(SecurityEvent.ENDED, public_id=public_id, user_id=user_id, reason=reason)


def _user_of(session: Any) -> Any:
    return None if session._owner is UNKNOWN else session._owner


def _key_refused(public_id: str, reason: str, **kwargs: Any) -> None:
    log(SecurityEvent.KEY_REFUSED, public_id=public_id, reason=reason)


def _data_corrupt(reason: str, key: str | None) -> None:
    public_id = None if key is None else _keys.public_id(key)
    log(SecurityEvent.DATA_CORRUPT, public_id=public_id, reason=reason)


def _login_refused(public_id: str, user_id: Any, **kwargs: Any) -> None:
    reason = EndReason.LIMIT
    log(SecurityEvent.LOGIN_REFUSED, public_id=public_id, user_id=user_id, reason=reason)


def _relogin_asked(public_id: str | None, user_id: Any, **kwargs: Any) -> None:
    log(SecurityEvent.RELOGIN_ASKED, public_id=public_id, user_id=user_id)


#: The one of this process.
registry: Final = SecurityLog()

_RECEIVERS: Final[dict[Signal, Callable[..., None]]] = {
    session_key_refused: _key_refused,
    session_refused: _login_refused,
    relogin_asked: _relogin_asked,
}


def turn_on() -> None:
    """Log the events that SESSION_SECURITY_LOG names from now on."""
    register(registry)
    for signal, receiver in _RECEIVERS.items():
        signal.connect(receiver)
    if _data_corrupt not in payloads.listeners:
        payloads.listeners.append(_data_corrupt)


def turn_off() -> None:
    """Listen to nothing any more, as a test may want it."""
    if registry in registries:
        registries.remove(registry)
    for signal, receiver in _RECEIVERS.items():
        signal.disconnect(receiver)
    if _data_corrupt in payloads.listeners:
        payloads.listeners.remove(_data_corrupt)
