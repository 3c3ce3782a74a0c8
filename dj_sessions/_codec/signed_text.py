"""Django's signed and compressed text, to the letter, with what never changes worked out once.

Django builds a signer for each text, derives its key anew, and has zlib prepare for 32 KiB of data.
All three take longer than signing and compressing the few hundred bytes of a session.
"""

from __future__ import annotations

import hmac
import time
import zlib
from binascii import a2b_base64, b2a_base64
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.core import signing
from django.utils.encoding import force_bytes

#: Up to so many bytes, zlib makes the same of them with 12 KiB of memory as with 256.
SMALL: Final = 2000
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")
#: What Django signs with where the salt is empty.
UNNAMED: Final = "django.core.signing.TimestampSigner"
#: Bytes that SHA-256 takes at a time, and how HMAC makes two keys of one.
BLOCK: Final = 64
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
#: Characters of a tag, 6 bits each.
TAG: Final = 16
#: The header that zlib writes with its usual settings.
HEADER: Final = b"\x78\x9c"


class Compression(NamedTuple):
    """What is compressed, from so many bytes on, and how thoroughly, as zlib numbers it."""

    minimum: int = 0
    level: int = zlib.Z_DEFAULT_COMPRESSION


#: What Django does.
USUAL: Final = Compression()


def sign(data: bytes, salt: str, compression: Compression = USUAL, at: float | None = None) -> str:
    """Return ``data`` as text, compressed where that helps, with the time and a signature.

    The time is ``at`` (epoch seconds), now by default.
    """
    value = b"%b:%b" % (pack(data, compression), _b62(int(time.time() if at is None else at)))
    return (b"%b:%b" % (value, _signature(value, salt, settings.SECRET_KEY))).decode()


def unsign(text: str, salt: str) -> bytes:
    """Return the data of ``text``.

    Raises BadSignature if none of the site's keys has signed it, and ValueError or zlib.error if
    one of them has signed something else.
    """
    value, _, signature = text.encode().rpartition(b":")
    if not _is_signed(value, signature, salt):
        raise signing.BadSignature("The signature does not match")
    packed, timestamp = value.rsplit(b":", 1)
    if not timestamp.isalnum():
        raise ValueError("The text does not say when it was signed")
    return unpack(packed)


def has_old_keys() -> bool:
    """Return whether what other keys have signed counts as well, as while they are changed."""
    return any(settings.SECRET_KEY_FALLBACKS)


def signed_at(text: str) -> int:
    """Return when ``text``, whose signature is valid, was signed (epoch seconds)."""
    return signing.b62_decode(text.rsplit(":", 2)[1])


def secret() -> str | bytes:
    """Return what tags are made with now."""
    return settings.SECRET_KEY


def tag(content: bytes, salt: str) -> str:
    """Return a text of 96 bits that only the site can make: the same of the same content.

    Fallback keys do not count: what is tagged can be had anew.
    """
    return _signature(content, salt, secret())[:TAG].decode()


def _is_signed(value: bytes, signature: bytes, salt: str) -> bool:
    if hmac.compare_digest(signature, _signature(value, salt, settings.SECRET_KEY)):
        return True
    return any(
        hmac.compare_digest(signature, _signature(value, salt, key))
        for key in settings.SECRET_KEY_FALLBACKS
        if key  # everybody knows an empty one
    )


def pack(data: bytes, compression: Compression = USUAL) -> bytes:
    """Return ``data`` as text in ASCII; what is compressed begins with a dot."""
    if len(data) >= compression.minimum:
        compressed = _compress(data, compression.level)
        if len(compressed) < len(data) - 1:
            return b"." + _b64_encode(compressed)
    return _b64_encode(data)


def unpack(text: bytes) -> bytes:
    """Return the data that ``pack()`` made a text of."""
    if text.startswith(b"."):
        return zlib.decompress(_b64_decode(text[1:]))
    return _b64_decode(text)


def _compress(data: bytes, level: int = USUAL.level) -> bytes:
    """Return what ``zlib.compress`` would."""
    if len(data) > SMALL:
        return zlib.compress(data, level)
    small = zlib.compressobj(level, wbits=12, memLevel=5)
    return HEADER + (small.compress(data) + small.flush())[2:]


def _signature(value: bytes, salt: str, key: str | bytes) -> bytes:
    """Return the HMAC of ``value``: the hash, behind one half of the key, of that behind the other.

    The hmac module copies what has taken in a key in more time than hashing takes.
    """
    inner, outer = _halves(salt, key)
    inner, outer = inner.copy(), outer.copy()
    inner.update(value)
    outer.update(inner.digest())
    return _b64_encode(outer.digest())


@lru_cache(maxsize=64)
def _halves(salt: str, key: str | bytes) -> tuple[Any, Any]:
    """Return what has taken in the key as RFC 2104 pads it, and no text yet."""
    purpose = f"{salt or UNNAMED}signer".encode()
    derived = sha256(purpose + force_bytes(key)).digest().ljust(BLOCK, b"\0")
    return sha256(derived.translate(_INNER)), sha256(derived.translate(_OUTER))


def _b64_encode(data: bytes) -> bytes:
    return b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=")


def _b64_decode(text: bytes) -> bytes:
    return a2b_base64(text.translate(_FROM_URL) + b"=" * (-len(text) % 4))


@lru_cache(maxsize=1)
def _b62(second: int) -> bytes:
    return signing.b62_encode(second).encode()
