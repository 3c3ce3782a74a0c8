"""Forwards: what stands under a key that has changed, and leads to the new one for a short while.

*Moved* is not *ended*. A request that had loaded the session before its key changed finds the
forward when it saves, ends the session or changes the key itself. For everybody else there is no
session: a forward has no data and stands under a name of its own. So Django's own engines find
nothing either.

The new key is readable to whoever knows the old one, and signed by the site.
"""

from __future__ import annotations

import re
import time
from hashlib import sha256, shake_256
from typing import Final, NamedTuple

from django.core import signing

from dj_sessions._codec import signed_text

#: What a forward begins with, and no payload: ``#`` is no character of Django's signed text. Where
#: a store keeps dictionaries, it is the key of the text.
MARK: Final = "#moved:"

#: Seconds for which a request that had loaded the session is led to the new key.
AGE: Final = 60

SALT: Final = "dj_sessions.forward"

_NAME: Final = re.compile("#[0-9a-f]{39}")


def name(old: str) -> str:
    """Return the name under which a forward stands where the old key must not be used again.

    It is no session key, and fits the column.
    """
    return "#" + sha256(b"dj_sessions.forward" + old.encode()).hexdigest()[:39]


def is_name(stored: str) -> bool:
    """Return whether a stored name is one of ``name()``."""
    return _NAME.fullmatch(stored) is not None


class Target(NamedTuple):
    """Where a forward leads: the new key, and the user's id that the session had, if any."""

    key: str
    user: str | None


def make(old: str, new: str, user: object = None) -> str:
    """Return the text that leads from the session key ``old`` to ``new``.

    ``user`` is the id of the user who was logged in when the key changed.
    """
    # A key has no white space.
    text = new if user is None else f"{new}\n{user}"
    return MARK + signed_text.sign(_masked(text.encode(), old), SALT)


def found_in(payload: object) -> str | None:
    """Return the text of a forward that stands in the place of a session's payload, if one does."""
    return payload if isinstance(payload, str) and payload.startswith(MARK) else None


def target(old: str, text: str | None) -> Target | None:
    """Return where a forward leads, or None if it is none, forged or too old."""
    if found_in(text) is None:
        return None
    signed = str(text).removeprefix(MARK)
    try:
        plain = _masked(signed_text.unsign(signed, SALT), old).decode()
    except (signing.BadSignature, ValueError):
        return None
    if time.time() - signed_text.signed_at(signed) > AGE:
        return None
    key, has_user, user = plain.partition("\n")
    return Target(key, user if has_user else None)


def _masked(text: bytes, old: str) -> bytes:
    """Mask a text so that the old key unmasks it: who reads the store alone learns nothing."""
    mask = shake_256(b"dj_sessions.forward" + old.encode()).digest(len(text))
    return bytes(one ^ other for one, other in zip(text, mask, strict=True))
