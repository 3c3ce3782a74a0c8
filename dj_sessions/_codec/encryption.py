"""Encrypted bytes: AES-256-GCM, under keys that HKDF-SHA-256 derives from the site's secrets.

``mark (1) | nonce (12) | ciphertext | tag (16)``. The mark says whether the content was compressed,
and is no byte that JSON or a pickle begins with. Mark and context are authenticated.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.utils.encoding import force_bytes

from dj_sessions._codec import signed_text
from dj_sessions._codec.signed_text import Compression

#: So that nothing else that is derived from the same secret is the key.
SALT: Final = b"dj_sessions.encryption"
#: What encrypted bytes begin with: the content as it is, or compressed.
PLAIN: Final = b"\x01"
COMPRESSED: Final = b"\x02"
#: Bytes of the nonce: 96 bits, which are random.
NONCE: Final = 12


class DecryptionError(ValueError):
    """No key of the site opens the bytes in their place: forged, moved, cut, or another key's."""


class NotEncrypted(ValueError):
    """The bytes are not encrypted, and that is not accepted."""


def is_encrypted(content: bytes) -> bool:
    """Return whether ``content`` says that it is what ``seal()`` returned."""
    return content[:1] in (PLAIN, COMPRESSED)


def seal(
    content: bytes, secret: str | bytes, context: str, compression: Compression | None
) -> bytes:
    """Return ``content`` encrypted, to be opened in the same ``context`` alone."""
    mark = PLAIN
    if compression is not None and len(content) >= compression.minimum:
        compressed = signed_text.compress(content, compression.level)
        if len(compressed) < len(content):
            mark, content = COMPRESSED, compressed
    nonce = os.urandom(NONCE)
    encrypted: bytes = _cipher(secret).encrypt(nonce, content, mark + context.encode())
    return mark + nonce + encrypted


def unseal(sealed: bytes, secrets: Iterable[str | bytes], context: str) -> bytes:
    """Return what ``seal()`` was given, with one of ``secrets``; raises DecryptionError."""
    mark, nonce, encrypted = sealed[:1], sealed[1 : 1 + NONCE], sealed[1 + NONCE :]
    authenticated = mark + context.encode()
    for secret in secrets:
        try:
            content: bytes = _cipher(secret).decrypt(nonce, encrypted, authenticated)
        except (_library().InvalidTag, ValueError):  # ValueError: the nonce was cut
            continue
        return zlib.decompress(content) if mark == COMPRESSED else content
    raise DecryptionError("No key of this site opens it in its place.")


@cache
def _library() -> Any:
    """Return what is used of ``cryptography``; raises ImproperlyConfigured without it."""
    try:
        from dj_sessions._codec import _cryptography
    except ImportError as error:
        raise ImproperlyConfigured(
            f"Encrypted sessions need the package cryptography ({error}). Install it: "
            "pip install cryptography"
        ) from error
    return _cryptography


def require() -> None:
    """Raise ImproperlyConfigured where nothing can be encrypted."""
    _library()


@lru_cache(maxsize=64)
def _cipher(secret: str | bytes) -> Any:
    """Return the cipher of a secret; deriving the key takes longer than encrypting a session."""
    library = _library()
    derive = library.HKDF(algorithm=library.SHA256(), length=32, salt=SALT, info=b"AES-256-GCM")
    return library.AESGCM(derive.derive(force_bytes(secret)))
