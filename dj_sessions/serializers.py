"""The classes that ``SESSION_SERIALIZER`` may name."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from typing import Any, ClassVar, Final, Self

from django.core.exceptions import ImproperlyConfigured
from django.core.signing import JSONSerializer as BaseJSONSerializer
from django.utils.module_loading import import_string

from dj_sessions._codec import encryption, payloads, signed_text, typed_json
from dj_sessions._codec.payloads import Serializer
from dj_sessions.conf import conf

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]

__all__ = [
    "BaseJSONSerializer",
    "DecryptingJSONSerializer",
    "EncryptedJSONSerializer",
    "FastJSONSerializer",
    "JSONSerializer",
    "PickleSerializer",
    "PickleToJSONSerializer",
    "TypedJSONSerializer",
]

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
    """JSON by orjson, several times as fast. It needs orjson: install the extra ``fast``.

    It reads and writes the same sessions as ``JSONSerializer``, so a site can change between the
    two, and back to Django, at any time. The standard library writes what orjson would write
    differently. A ``UUID`` is stored as text and an ``Enum`` as its value; ``JSONSerializer``
    refuses both. Compression takes longest, so sessions below ``compress_from`` (bytes) are not
    compressed. Larger ones are compressed at ``compress_level`` (of zlib): half the time, for a
    few bytes more.
    """

    compress_from = 500
    compress_level = 1

    def __init__(self) -> None:
        if orjson is None:
            raise ImproperlyConfigured(
                "SESSION_SERIALIZER names FastJSONSerializer, which needs orjson. Install orjson, "
                "or name dj_sessions.serializers.JSONSerializer, which reads the same sessions."
            )

    def dumps(self, obj: Any) -> bytes:
        """Return ``obj`` as JSON in ASCII; raises TypeError for a value that JSON cannot hold."""
        try:
            data = orjson.dumps(obj, option=_OPTIONS)
        except TypeError:  # such as a key that is a number
            return super().dumps(obj)
        # It writes infinity as null, and other than ASCII as UTF-8.
        return data if data.isascii() and b"null" not in data else super().dumps(obj)

    def loads(self, data: bytes) -> Any:
        """Return the object in ``data``; raises ValueError if ``data`` is no JSON."""
        if _SIGN in data[::_STEP].translate(_DIGITS) and _LARGE in data.translate(_DIGITS):
            return super().loads(data)
        try:
            return orjson.loads(data)
        except ValueError:  # such as infinity
            return super().loads(data)


class TypedJSONSerializer(JSONSerializer):
    """JSON whose values come back as what they were, also inside others.

    So it is with datetime, date, time, timedelta, Decimal, UUID, bytes, tuple, set, frozenset, with
    dictionaries whose keys are not text, and with types that you register. A session that has none
    of them is stored as by ``JSONSerializer``, byte for byte. A subclass comes back as the type
    that it derives from, and a zone as its offset from UTC.
    """

    @staticmethod
    def register(
        type_: type, name: str, dump: Callable[[Any], Any], load: Callable[[Any], Any]
    ) -> None:
        """Have values of ``type_`` stored under ``name`` as what ``dump(value)`` returns.

        That may be anything that can be stored. ``load()`` makes the value of it again. Raises
        ValueError if the name stands for another type, or JSON writes the type by itself. Call it
        in ``AppConfig.ready()``.
        """
        typed_json.register(type_, name, dump, load)

    def dumps(self, obj: Any) -> bytes:
        """Return ``obj`` as JSON in ASCII; raises TypeError for a value that it cannot hold."""
        return typed_json.dumps(obj, super().dumps)

    def loads(self, data: bytes) -> Any:
        """Return the object in ``data``; raises ValueError if there is none."""
        return typed_json.loads(data, super().loads)


class EncryptedJSONSerializer:
    """Encrypt sessions by AES-256-GCM, around the serializer SESSION_ENCRYPTED_SERIALIZER.

    It needs cryptography: install the extra ``crypto``. SESSION_ENCRYPTION_KEYS has the secrets, of
    which the first encrypts and all decrypt; without it, SECRET_KEY and SECRET_KEY_FALLBACKS do.
    What is encrypted for one engine and one purpose cannot be read as another's. What is not
    encrypted is corrupt, unless SESSION_ENCRYPTION_ACCEPT_PLAIN is set.
    """

    #: Engines store what this writes and nothing plainer: a cache keeps the text, not the data.
    encrypts: ClassVar[bool] = True
    #: Whether to compress before encrypting: smaller, but the size then tells of the content.
    compresses: ClassVar[bool] = True
    #: What is encrypted cannot be compressed.
    compress_from: ClassVar[int] = sys.maxsize

    def __init__(self, engine: str = "", purpose: str = "") -> None:
        encryption.require()
        self._context = f"{len(engine)} {engine} {purpose}"
        #: What turns data into the bytes that are encrypted.
        self.inner = _inner()

    @classmethod
    def for_engine(cls, engine: str, purpose: str) -> Self:
        """Return the serializer of one engine (its ``engine_name``) and one purpose (the salt)."""
        return cls(engine, purpose)

    def dumps(self, obj: Any) -> bytes:
        """Return ``obj`` encrypted; raises what the inner serializer raises."""
        content = self.inner.dumps(obj)
        compression = payloads.compression(type(self.inner)) if self.compresses else None
        return encryption.seal(content, _secrets()[0], self._context, compression)

    def loads(self, data: bytes) -> Any:
        """Return the object in ``data``; raises ValueError if it is corrupt, or not encrypted."""
        if encryption.is_encrypted(data):
            return self.inner.loads(encryption.unseal(data, _secrets(), self._context))
        if not self._accepts_plain():
            raise encryption.NotEncrypted("It is not encrypted.")
        return self.inner.loads(data)

    def is_current(self, data: bytes) -> bool:
        """Return whether ``data`` is what ``dumps()`` writes now, with the first of the secrets."""
        if not encryption.is_encrypted(data):
            return False
        if data[:1] == encryption.COMPRESSED and not self.compresses:
            return False
        try:
            content = encryption.unseal(data, _secrets()[:1], self._context)
            return content == self.inner.dumps(self.inner.loads(content))
        except ValueError:
            return False

    def _accepts_plain(self) -> bool:
        return conf.SESSION_ENCRYPTION_ACCEPT_PLAIN


class DecryptingJSONSerializer(EncryptedJSONSerializer):
    """Read what is encrypted and what is not, and write what SESSION_ENCRYPTED_SERIALIZER writes.

    The way to ``EncryptedJSONSerializer`` server by server, and the way back: until no session is
    encrypted any more.
    """

    encrypts = False
    compress_from = 0

    def dumps(self, obj: Any) -> bytes:
        """Return ``obj`` as the inner serializer writes it."""
        return self.inner.dumps(obj)

    def is_current(self, data: bytes) -> bool:
        """Return whether ``data`` is what the inner serializer writes."""
        return not encryption.is_encrypted(data) and data == self.dumps(self.inner.loads(data))

    def _accepts_plain(self) -> bool:
        return True


def _inner() -> Serializer:
    """Return the serializer inside; raises ImproperlyConfigured if it cannot be one."""
    name = conf.SESSION_ENCRYPTED_SERIALIZER
    try:
        kind = import_string(name)
    except (ImportError, TypeError, AttributeError) as error:
        raise _unusable(name, error) from error
    if isinstance(kind, type) and issubclass(kind, EncryptedJSONSerializer):
        raise ImproperlyConfigured(
            f"SESSION_ENCRYPTED_SERIALIZER = {name!r} encrypts itself. Name what it shall encrypt, "
            "such as 'dj_sessions.serializers.JSONSerializer'."
        )
    try:
        made: Serializer = kind()
        _ = made.dumps, made.loads
    except (TypeError, AttributeError) as error:
        raise _unusable(name, error) from error
    return made


def _unusable(name: object, error: Exception) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"SESSION_ENCRYPTED_SERIALIZER = {name!r} is not a class of a serializer: {error}"
    )


def _secrets() -> list[str | bytes]:
    """Return the secrets of which keys are derived; raises ImproperlyConfigured for none."""
    keys = conf.SESSION_ENCRYPTION_KEYS
    if keys is None:
        return signed_text.secrets()
    is_list = isinstance(keys, list | tuple) and bool(keys)
    if not is_list or not all(isinstance(key, str | bytes) and key for key in keys):
        del keys  # an error report shows variables
        raise ImproperlyConfigured(
            "SESSION_ENCRYPTION_KEYS must be a list of strings, none of them empty, of which the "
            "first encrypts. Leave it out to have the key derived from SECRET_KEY."
        )
    return list(keys)


class PickleSerializer:
    """Read and write sessions as pickles, for sites that still hold such sessions.

    A leaked ``SECRET_KEY`` is enough to run code on the server, as it signs pickles. Move to
    ``JSONSerializer``; see https://docs.djangoproject.com/en/stable/topics/http/sessions/#session-serialization.
    """

    protocol = pickle.HIGHEST_PROTOCOL

    def dumps(self, obj: Any) -> bytes:
        """Return ``obj`` as bytes; raises what ``pickle.dumps`` raises."""
        return pickle.dumps(obj, self.protocol)

    def loads(self, data: bytes) -> Any:
        """Return the object in ``data``; raises ``pickle.UnpicklingError`` if it cannot."""
        try:
            return pickle.loads(data)  # noqa: S301 # the payload's signature was verified
        except _UNREADABLE as error:
            raise pickle.UnpicklingError(f"{type(error).__name__} while unpickling") from error


class PickleToJSONSerializer(PickleSerializer):
    """Read pickles and JSON, and write JSON: the way from ``PickleSerializer``.

    It writes what ``TypedJSONSerializer`` does, which is plain JSON for plain values. A subclass
    names another class in ``writes``. As long as it reads pickles, a leaked ``SECRET_KEY`` is
    enough to run code: run ``manage.py convertsessions``, then name the class that writes.
    """

    #: The class that writes, and that reads what is no pickle.
    writes: ClassVar[Callable[[], Serializer]] = TypedJSONSerializer

    def dumps(self, obj: Any) -> bytes:
        """Return ``obj`` as JSON; raises TypeError for a value that it cannot hold."""
        return type(self).writes().dumps(obj)

    def loads(self, data: bytes) -> Any:
        """Return the object in ``data``, a pickle or JSON."""
        if data[:1] in (b"{", b"["):  # which no pickle begins with
            return type(self).writes().loads(data)
        return super().loads(data)
