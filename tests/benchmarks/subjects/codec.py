"""Session data to the text that is stored, and back.

The limit, `library`, is what the standard library alone needs for that very text: JSON, zlib,
base64 and one HMAC with a key that is derived already.
"""

from __future__ import annotations

import hmac
import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.utils.crypto import salted_hmac
from django.utils.module_loading import import_string

from tests.benchmarks.sampling import Calls, Figure
from tests.benchmarks.subjects import DATA
from tests.benchmarks.subjects.stores import store_class

BASKET = [
    {"article": 40000 + number, "pieces": number % 5, "note": "gift"} for number in range(200)
]
SIZES = {"small": DATA, "large": DATA | {"basket": BASKET}}


def subject(name: str) -> Calls | Figure:
    """The subject `<serializer or library> <size> <encode, decode or length>`."""
    way, size, operation = name.split(" ")
    data, session = SIZES[size], store_class()()
    library = way == "library"
    if not library:
        root = settings.SESSION_SERIALIZER.rpartition(".")[0]
        session.serializer = import_string(f"{root}.{way}")
    encode, decode = _library(session) if library else (session.encode, session.decode)
    text = session.encode(data)
    if decode(text) != data or session.decode(encode(data)) != data:
        raise AssertionError(f"{name} does not give back what was encoded")
    if operation == "length":
        return Figure(lambda: len(text))
    return Calls(lambda _: encode(data)) if operation == "encode" else Calls(lambda _: decode(text))


def _library(session: Any) -> tuple[Callable[[Any], str], Callable[[str], Any]]:
    keyed = salted_hmac(session.key_salt + "signer", "", algorithm="sha256")
    timestamp = session.encode({}).split(":")[1]

    def signature(value: str) -> str:
        mac = keyed.copy()
        mac.update(value.encode())
        return urlsafe_b64encode(mac.digest()).decode().rstrip("=")

    def encode(data: Any) -> str:
        plain = json.dumps(data, separators=(",", ":")).encode("latin-1")
        packed = zlib.compress(plain)
        mark, body = (".", packed) if len(packed) < len(plain) - 1 else ("", plain)
        value = f"{mark}{urlsafe_b64encode(body).decode().rstrip('=')}:{timestamp}"
        return f"{value}:{signature(value)}"

    def decode(text: str) -> Any:
        value, _, signed = text.rpartition(":")
        if not hmac.compare_digest(signed, signature(value)):
            raise AssertionError("the signature does not match")
        body, _, _ = value.partition(":")
        packed = body.startswith(".")
        plain = urlsafe_b64decode(body.removeprefix(".") + "==")
        return json.loads((zlib.decompress(plain) if packed else plain).decode("latin-1"))

    return encode, decode
