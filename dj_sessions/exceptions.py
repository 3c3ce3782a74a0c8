"""Everything that this package raises, in one tree.

Django's own classes are re-exported as the same objects, so an ``except`` that names either
path catches both::

    Exception
    ├── CreateError                 the session key is taken                        (Django's)
    ├── UpdateError                 the session was deleted meanwhile               (Django's)
    │   └── SessionEnded            ... by a logout, while its key changed: SessionInterrupted, too
    ├── SessionConflict             others kept changing the session while it was saved
    ├── TypeError
    │   └── SessionEncodeError      the session holds a value that cannot be stored
    ├── SuspiciousOperation                                                         (Django's)
    │   ├── InvalidSessionKey       the key has characters that no key has          (Django's)
    │   └── SuspiciousSession       the session may be tampered with                (Django's)
    └── BadRequest                                                                  (Django's)
        └── SessionInterrupted      the session ended while its request was served  (Django's)

Errors of a store (``DatabaseError``, ``OSError``, a cache client's own) are never wrapped.
"""

from typing import Any

from django.contrib.sessions.backends.base import CreateError, UpdateError
from django.contrib.sessions.exceptions import (
    InvalidSessionKey,
    SessionInterrupted,
    SuspiciousSession,
)
from django.core.exceptions import BadRequest, SuspiciousOperation

__all__ = [
    "BadRequest",
    "CreateError",
    "InvalidSessionKey",
    "SessionConflict",
    "SessionEncodeError",
    "SessionEnded",
    "SessionInterrupted",
    "SuspiciousOperation",
    "SuspiciousSession",
    "UpdateError",
]


class SessionConflict(Exception):
    """Each attempt to save met a change that somebody else had just stored, for too long.

    ``attempts`` (int) says how often it was tried within SESSION_CONFLICT_TIMEOUT. Nothing of this
    save was stored; saving again is safe.
    """

    def __init__(self, attempts: int) -> None:
        self.attempts = attempts
        super().__init__(
            f"Others changed the session during each attempt to save it, {attempts} in all, "
            "until SESSION_CONFLICT_TIMEOUT was over. Nothing of this save is stored. Save again, "
            "write to the session less often, or give it more time."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.attempts,)


class SessionEnded(UpdateError, SessionInterrupted):
    """A login was ended by another request while this one was moving it to a new key.

    Raised by the save that follows ``cycle_key()``. Nothing of the login is kept under either key.
    Unhandled, the request is answered with a 400, as any whose session was deleted while it was
    served.
    """


class SessionEncodeError(TypeError):
    """A value inside the session cannot be stored.

    ``path`` (str) is where it is, written as code: ``session['cart']['items'][0]``;
    ``value_type`` (type) is what is there. The serializer's own error is the ``__cause__``.
    """

    def __init__(self, path: str, value_type: type, remedy: str) -> None:
        self.path = path
        self.value_type = value_type
        self.remedy = remedy
        super().__init__(
            f"{path} is of type {value_type.__module__}.{value_type.__qualname__}, "
            f"which cannot be stored in the session. {remedy}"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.value_type, self.remedy)
