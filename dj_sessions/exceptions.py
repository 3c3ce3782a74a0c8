"""All exceptions of this package, in one tree.

Django's classes are the same objects under both paths, so ``except`` works with either::

    Exception
    ├── CreateError                 the session key is taken                        (Django's)
    ├── UpdateError                 the session was deleted meanwhile               (Django's)
    │   └── SessionEnded            ... while its key changed; a SessionInterrupted, too
    ├── SessionConflict             others changed the session during each attempt to save it
    ├── TypeError
    │   └── SessionEncodeError      the session holds a value that cannot be stored
    ├── ValueError
    │   └── SessionTooLarge         the session fits no cookie, on the engine signed_cookies
    ├── SuspiciousOperation                                                         (Django's)
    │   ├── InvalidSessionKey       the key has characters that no key has          (Django's)
    │   └── SuspiciousSession       the session may be tampered with                (Django's)
    └── BadRequest                                                                  (Django's)
        └── SessionInterrupted      the session ended while its request was served  (Django's)

Errors of a store (``DatabaseError``, ``OSError``, those of a cache client) are raised as they are.
"""

from typing import Any, Final

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
    "SessionTooLarge",
    "SuspiciousOperation",
    "SuspiciousSession",
    "UpdateError",
]


#: Characters that a message shows of a key of the data.
_SHOWN: Final = 40


def _shorten(key: str) -> str:
    return key if len(key) <= _SHOWN else f"{key[: _SHOWN - 1]}…"


class SessionConflict(Exception):
    """Others changed the session during each attempt to save it, for too long.

    ``attempts`` (int) is how many attempts there were within SESSION_CONFLICT_TIMEOUT. Nothing of
    this save is stored. It is safe to save again.
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
    """Another request ended the login while this one moved it to a new key.

    The save after ``cycle_key()`` raises it. Neither key has the login any more. If nobody catches
    it, the response has status 400, as for any session that was deleted during the request.
    """


class SessionEncodeError(TypeError):
    """A value inside the session cannot be stored.

    ``path`` (str) is the place of the value, written as code: ``session['cart']['items'][0]``.
    ``value_type`` (type) is the type of the value. ``__cause__`` is the serializer's own error.
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


class SessionTooLarge(ValueError):
    """A session of ``signed_cookies`` is too large for a cookie: browsers would drop it.

    ``size`` (int) is the size of its cookie, name and value, and ``limit`` (int) that of the
    largest cookie that browsers keep, both in bytes. ``largest`` (tuple) has the largest top-level
    keys of the session, each with the bytes that it takes before compression:
    ``(("cart", 5210), ("seen", 310))``. The cookie of the browser stays as it was.
    """

    def __init__(self, size: int, limit: int, largest: tuple[tuple[str, int], ...]) -> None:
        self.size = size
        self.limit = limit
        self.largest = largest
        keys = ", ".join(f"{_shorten(key)!r} ({of_it:,} bytes)" for key, of_it in largest)
        super().__init__(
            f"The session is {size:,} bytes long as a cookie, and browsers drop cookies of more "
            f"than {limit:,}. Before compression, its largest keys are {keys}. Keep less in it, or "
            "choose another SESSION_ENGINE. With SESSION_COOKIE_TOO_LARGE = 'warning' the cookie "
            "is sent all the same."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.size, self.limit, self.largest)
