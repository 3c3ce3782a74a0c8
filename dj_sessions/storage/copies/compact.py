"""The compact form: one entry for a session, with tag and payload, smaller than Django's."""

from __future__ import annotations

import os
import zlib
from binascii import a2b_base64
from collections.abc import Hashable, Mapping
from typing import Any, Final

from dj_sessions._codec import payloads
from dj_sessions._codec.unstorable import UNSTORABLE
from dj_sessions.storage.copies.forms import Copy, Form

#: Bytes of a tag, and of the random word behind it.
TAG: Final = 12
WORD: Final = 6
#: What many sessions have in them, the commonest last. Whoever changes it changes VERSION as well.
COMMON: Final = (
    b'false,"true,"null,"messages":"[[\\"__json_message\\",0,20,25,"_session_expiry":1209600,'
    b'"_language":"en","_csrftoken":"{"_auth_user_id":"1","_auth_user_backend":"'
    b'django.contrib.auth.backends.ModelBackend","_auth_user_hash":"'
)
VERSION: Final = b"1"
#: What stands before the payload as it is, and before one that is taken apart.
WHOLE: Final = b"="
APART: Final = VERSION
#: Up to so many bytes, zlib needs little memory to make much of them.
SMALL: Final = 2000


class CompactForm(Form):
    """One entry, which nothing but this package reads."""

    def names(self, name: str, place: Hashable) -> tuple[str, ...]:
        return (name,)

    def other(self, name: str, place: Hashable) -> str:
        return self.tag_name(name, place)

    def copy(self, payload: Any, data: dict[str, Any] | None) -> Copy | None:
        if not isinstance(payload, str):
            return None
        if not self.codec.is_plain:
            return Copy(WHOLE + payload.encode())
        rest = payloads.remainder(payload).encode()
        return Copy(APART + bytes([len(rest)]) + rest + deflate(payloads.content(payload)))

    def seal(self, names: tuple[str, ...], copy: Copy, generation: str) -> dict[str, Any]:
        (name,) = names
        content = os.urandom(WORD) + copy.content
        value = self._tag(name, content, generation) + content
        try:
            return {name: self.adapter.encode(value)}
        except UNSTORABLE:  # by a serializer of the site's that knows texts alone, as JSON
            return {name: self.adapter.encode(value.decode("latin-1"))}

    def open(self, name: str, found: Mapping[str, Any], generation: str) -> Copy | None:
        value = _bytes(self.value(found[name]))
        content = value[TAG:]
        if value[:TAG] != self._tag(name, content, generation):
            return None
        content = content[WORD:]
        is_apart = content[:1] != WHOLE
        return None if is_apart and not self.codec.is_plain else Copy(content)  # of before

    def _tag(self, name: str, content: bytes, generation: str) -> bytes:
        tag = self.adapter.tag(b"%b %b %b" % (generation.encode(), name.encode(), content))
        return a2b_base64(tag.translate(_FROM_URL))

    def data_of(self, copy: Copy) -> dict[str, Any] | None:
        content: bytes = copy.content
        if content[:1] == WHOLE:
            return self.codec.copied(content[1:].decode())
        return self.codec.loads(inflate(content[2 + content[1] :]))

    def payload_of(self, copy: Copy) -> Any:
        content: bytes = copy.content
        if content[:1] == WHOLE:
            return content[1:].decode()
        return self.codec.rebuild(self.data_of(copy) or {}, self.remainder_of(copy))

    def remainder_of(self, copy: Copy) -> str:
        content: bytes = copy.content
        if content[:1] == WHOLE:
            return payloads.remainder(content[1:].decode())
        return content[2 : 2 + content[1]].decode()


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("latin-1", "replace")
    return value if isinstance(value, bytes) else b""


_FROM_URL: Final = str.maketrans("-_", "+/")


def deflate(content: bytes) -> bytes:
    """Return fewer bytes of which ``inflate()`` makes ``content`` again."""
    size = (-15, 8) if len(content) > SMALL else (-12, 5)
    packer = zlib.compressobj(6, zlib.DEFLATED, *size, zlib.Z_DEFAULT_STRATEGY, COMMON)
    return packer.compress(content) + packer.flush()


def inflate(content: bytes) -> bytes:
    """Return what ``deflate()`` was given."""
    return zlib.decompressobj(-15, COMMON).decompress(content)
