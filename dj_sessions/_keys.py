"""Session keys: making them and telling whether this package could have made one."""

from __future__ import annotations

import os
import re
import string
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Final

#: Lower case and digits: a key is also a file name, and file systems may ignore case.
VALID_KEY_CHARS: Final = string.ascii_lowercase + string.digits

LENGTH: Final = 32
MIN_LENGTH: Final = 8
#: The width of the ``session_key`` column.
MAX_LENGTH: Final = 40

#: What a hashed key begins with, and no key of this package does.
HASHED: Final = "~"
_HASHED: Final = re.compile(rf"{HASHED}[0-9A-Za-z.-]{{{MAX_LENGTH - 1}}}")

#: What fits every store: a file's name, and with a prefix a name in Memcached.
LONGEST_CUSTOM: Final = 160

_KEY: Final = re.compile(rf"[0-9a-z]{{{MIN_LENGTH},{MAX_LENGTH}}}")
#: What no store takes: control characters, white space, path separators.
_UNSTORABLE: Final = re.compile(r"[\x00-\x20\x7f/\\]")


#: Random bytes to characters: each of the 36 stands for 7 bytes, and 4 bytes for none.
_CHARACTERS: Final = bytes(map(ord, VALID_KEY_CHARS * 7)).ljust(256)
_REJECTED: Final = bytes(range(len(VALID_KEY_CHARS) * 7, 256))


def new_key() -> str:
    """Return a random key: 32 characters, 165 bits.

    All random bytes are fetched at once: one call for each character takes as long as a statement.
    """
    key = b""
    while len(key) < LENGTH:
        key = os.urandom(2 * LENGTH).translate(_CHARACTERS, _REJECTED)[:LENGTH]
    return key.decode()


def is_key(value: object) -> bool:
    """Return whether ``value`` is a key that this package, or Django, could have made."""
    return isinstance(value, str) and _KEY.fullmatch(value) is not None


def is_custom_key(value: object) -> bool:
    """Return whether ``value`` may be a key of a store that makes its own keys."""
    if not isinstance(value, str) or len(value) < MIN_LENGTH or is_hashed(value):
        return False
    return _UNSTORABLE.search(value) is None


def hashed(key: str) -> str:
    """Return the form of ``key`` that tells nobody the key: 40 characters, 234 bits of SHA-256.

    One that is such a form already stays as it is. Where a store ignores the case of letters, 195
    bits count.
    """
    if is_hashed(key):
        return key
    # No "_" among the characters: beside a file that is being written, the name has "_out_" in it.
    # A key that a site takes from elsewhere, such as from JSON, may be no Unicode.
    encoded = key.encode("utf-8", "surrogatepass")
    digest = b64encode(sha256(encoded).digest(), b"-.").decode()
    return HASHED + digest[: MAX_LENGTH - 1]


def is_hashed(value: str) -> bool:
    """Return whether ``value`` is what ``hashed()`` makes of a key, and so is none itself."""
    return value.startswith(HASHED) and _HASHED.fullmatch(value) is not None


#: Characters of a key that people may see.
SHOWN: Final = 6

#: What ``SESSION_KEY_STORAGE`` may name.
FORMS: Final[dict[str, Callable[[str], str]]] = {"plain": str, "hashed": hashed}


def fits_every_store(key: str) -> bool:
    """Return whether a custom key is short enough for file systems and caches."""
    return len(key.encode("utf-8", "replace")) <= LONGEST_CUSTOM


def shorten(key: str | None) -> str:
    """Return as much of ``key`` as people may see: enough to recognise it, too little to use it."""
    return f"{key[:SHOWN]}…" if key else "—"


def public_id(key: str) -> str:
    """Return an identifier of 16 characters that is no secret, and the same everywhere.

    It is the same for a key and for its hashed form.
    """
    return sha256(b"dj_sessions.public_id" + hashed(key).encode()).hexdigest()[:16]


def why_refused(key: object, *, is_custom: bool) -> str:
    """Return why nothing can be stored under ``key``, and which keys a store takes."""
    shown = repr(shorten(key)) if isinstance(key, str) else f"of type {type(key).__name__}"
    refused = (
        f"No session can be stored under the key {shown}, which has {len(str(key))} characters"
    )
    if is_custom:
        odd = ", ".join(map(repr, sorted(set(_UNSTORABLE.findall(str(key))))[:8]))
        return (
            f"{refused}{', among them ' if odd else ''}{odd}, and {len(str(key).encode())} bytes. "
            f"A key of this store has {MIN_LENGTH} characters or more and no more than "
            f"{LONGEST_CUSTOM} bytes, and no white space, control character, '/' or '\\'."
        )
    odd = ", ".join(map(repr, sorted({*str(key)} - {*VALID_KEY_CHARS})[:8]))
    return (
        f"{refused}{', among them ' if odd else ''}{odd}. A session key has {MIN_LENGTH} to "
        f"{MAX_LENGTH} characters, each one of a-z and 0-9. For keys of another kind, override "
        "_get_new_session_key() in a SessionStore of your own."
    )
