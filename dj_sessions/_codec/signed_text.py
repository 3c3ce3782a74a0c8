"""Django's signed and compressed text, to the letter, with what never changes worked out once.

Django builds a signer for each text, derives its key anew, and has zlib prepare for 32 KiB of data.
All three take longer than signing and compressing the few hundred bytes of a session.
"""

from __future__ import annotations

import hmac
import time
import zlib
from base64 import urlsafe_b64encode
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple

from django.conf import settings
from django.core import signing
from django.core.signing import b64_decode
from django.utils.encoding import force_bytes

#: Up to so many bytes, zlib makes the same of them with 12 KiB of memory as with 256.
SMALL: Final = 2000
#: What Django signs with where the salt is empty.
UNNAMED: Final = "django.core.signing.TimestampSigner"
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


def number(text: str) -> int | None:
    """Return the number that ``text`` is in base 62, None if it is none."""
    return signing.b62_decode(text) if text.isascii() and text.isalnum() else None


def secret() -> str | bytes:
    """Return what tags are made with now."""
    return settings.SECRET_KEY


def secrets() -> list[str | bytes]:
    """Return what the site signs with now, and what it signed with before."""
    # Everybody knows an empty one.
    return [settings.SECRET_KEY, *(key for key in settings.SECRET_KEY_FALLBACKS if key)]


def is_signed_now(text: str, salt: str) -> bool:
    """Return whether the key that the site signs with now has signed ``text``."""
    value, _, signature = text.encode().rpartition(b":")
    return hmac.compare_digest(signature, _signature(value, salt, settings.SECRET_KEY))


def tag(content: bytes, salt: str) -> str:
    """Return a text of 96 bits that only the site can make: the same of the same content.

    Fallback keys do not count: what is tagged can be had anew.
    """
    return _signature(content, salt, settings.SECRET_KEY)[:TAG].decode()


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
        compressed = compress(data, compression.level)
        if len(compressed) < len(data) - 1:
            return b"." + urlsafe_b64encode(compressed).rstrip(b"=")
    return urlsafe_b64encode(data).rstrip(b"=")


def unpack(text: bytes) -> bytes:
    """Return the data that ``pack()`` made a text of."""
    if text.startswith(b"."):
        return zlib.decompress(b64_decode(text[1:]))
    return b64_decode(text)


def compress(data: bytes, level: int = USUAL.level) -> bytes:
    """Return what ``zlib.compress`` would."""
    if len(data) > SMALL:
        return zlib.compress(data, level)
    small = zlib.compressobj(level, wbits=12, memLevel=5)
    return HEADER + (small.compress(data) + small.flush())[2:]


def _signature(value: bytes, salt: str, key: str | bytes) -> bytes:
    digest = hmac.digest(_derived(salt, key), value, "sha256")
    return urlsafe_b64encode(digest).rstrip(b"=")


@lru_cache(maxsize=64)
def _derived(salt: str, key: str | bytes) -> bytes:
    """Return the key that Django derives for a purpose."""
    return sha256(f"{salt or UNNAMED}signer".encode() + force_bytes(key)).digest()


@lru_cache(maxsize=1)
def _b62(second: int) -> bytes:
    return signing.b62_encode(second).encode()
