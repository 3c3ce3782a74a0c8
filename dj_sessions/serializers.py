"""The classes that ``SESSION_SERIALIZER`` may name."""

from __future__ import annotations

import pickle
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.core.signing import JSONSerializer as BaseJSONSerializer

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]

__all__ = ["BaseJSONSerializer", "FastJSONSerializer", "JSONSerializer", "PickleSerializer"]

#: Django's own, under both names that it has there.
JSONSerializer = BaseJSONSerializer

#: What orjson can write and the standard library cannot, as far as it can be told not to.
_LEFT_OUT: Final = (
    "OPT_PASSTHROUGH_DATACLASS",
    "OPT_PASSTHROUGH_DATETIME",
    "OPT_PASSTHROUGH_SUBCLASS",
)
_OPTIONS: Final = sum(getattr(orjson, name, 0) for name in _LEFT_OUT)

#: Digits as one of them, all else as a space: so a long number is quickly found.
_DIGITS: Final = bytes(48 if 48 <= byte < 58 else 32 for byte in range(256))
#: A number that may be too large for orjson, which would read it as a fraction.
_LARGE: Final = b"0" * 19
#: Of so many digits in a row, each sixth byte shows three: much is not looked at.
_STEP: Final = 6
_SIGN: Final = b"0" * (len(_LARGE) // _STEP)

#: What the pickle module documents as raised by data that does not fit the code of today.
_UNREADABLE = (AttributeError, EOFError, ImportError, IndexError, KeyError, UnicodeDecodeError)


class FastJSONSerializer(JSONSerializer):
    """JSON by orjson, several times as fast; install ``django-dj-sessions[fast]``.

    It writes and reads what ``JSONSerializer`` does, so that a site can change from one to the
    other, and to Django's own, at any time. What orjson would write in another way is left to the
    standard library; a ``UUID`` or an ``Enum``, which that refuses, is stored as its text or its
    value. As compressing takes longer than all else, sessions of less than ``compress_from``
    (bytes) are not compressed, and larger ones only at ``compress_level`` (of zlib), which takes
    half the time for a few bytes more.
    """

    compress_from = 500
    compress_level = 1

    def __init__(self) -> None:
        if orjson is None:
            raise ImproperlyConfigured(
                "SESSION_SERIALIZER names FastJSONSerializer, which needs orjson. Install "
                "django-dj-sessions[fast], or name dj_sessions.serializers.JSONSerializer, which "
                "reads the same sessions."
            )

    def dumps(self, obj: Any) -> bytes:
        """Return ``obj`` as JSON in ASCII; raises TypeError for what JSON cannot hold."""
        try:
            data = orjson.dumps(obj, option=_OPTIONS)
        except TypeError:  # such as a key that is a number
            return super().dumps(obj)
        # It writes infinity as null, and other than ASCII as UTF-8.
        return data if data.isascii() and b"null" not in data else super().dumps(obj)

    def loads(self, data: bytes) -> Any:
        """Return what ``dumps`` was given; raises ValueError if it was no JSON."""
        if _SIGN in data[::_STEP].translate(_DIGITS) and _LARGE in data.translate(_DIGITS):
            return super().loads(data)
        try:
            return orjson.loads(data)
        except ValueError:  # such as infinity
            return super().loads(data)


class PickleSerializer:
    """Read and write sessions as pickles, for sites that still hold such sessions.

    Whoever can sign a pickle can run code on the server: a leaked ``SECRET_KEY`` is enough. Move
    to ``JSONSerializer``; see https://docs.djangoproject.com/en/stable/topics/http/sessions/#session-serialization.
    """

    protocol = pickle.HIGHEST_PROTOCOL

    def dumps(self, obj: Any) -> bytes:
        """Return ``obj`` as bytes; raises what ``pickle.dumps`` raises."""
        return pickle.dumps(obj, self.protocol)

    def loads(self, data: bytes) -> Any:
        """Return what ``dumps`` was given; raises ``pickle.UnpicklingError`` if it cannot."""
        try:
            return pickle.loads(data)  # noqa: S301 # the payload's signature was verified
        except _UNREADABLE as error:
            raise pickle.UnpicklingError(f"{type(error).__name__} while unpickling") from error
