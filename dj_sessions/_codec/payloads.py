"""Session data to signed text and back, in Django's wire format."""

from __future__ import annotations

import json
import logging
import pickle
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol

from django.core import signing

from dj_sessions._codec import log_rate, signed_text
from dj_sessions._codec.unstorable import UNSTORABLE, raise_encode_error

_security = logging.getLogger("django.security.SuspiciousSession")

#: Who is told as well of data that is worthless: of the reason, and of the session's key, or of a
#: stored form of it; None where nobody knows. They are called wherever it is read, and wait for
#: nothing.
listeners: Final[list[Callable[[str, str | None], object]]] = []

#: What unpacking data of another shape raises, as opposed to a serializer that is broken.
UNREADABLE = (ValueError, EOFError, zlib.error, pickle.UnpicklingError)
#: The same of a pickle, whose classes may have moved or changed since.
UNREADABLE_PICKLE = (*UNREADABLE, AttributeError, ImportError, IndexError, KeyError)

_JSON = json.JSONEncoder(separators=(",", ":"))
_JSON_DECODER = json.JSONDecoder()

_PLAIN = (
    "Store a plain value in its place (text, number, boolean, None, list, dictionary), or set "
    "SESSION_SERIALIZER to a class that can hold it."
)


class Serializer(Protocol):
    """What ``SESSION_SERIALIZER`` must name a class of."""

    def dumps(self, obj: Any) -> bytes: ...
    def loads(self, data: bytes) -> Any: ...


def encode(
    data: Mapping[str, Any],
    serializer: Callable[[], Serializer],
    salt: str,
    at: float | None = None,
    engine: str = "",
) -> str:
    """Return ``data`` serialized, compressed where that helps, and signed with ``salt``.

    The text says that it was signed ``at`` (epoch seconds), now by default. A serializer that has
    ``for_engine()`` is told the ``engine``, and the salt as the purpose.

    Raises SessionEncodeError, which names the place, for a value that the serializer cannot hold.
    """
    try:
        if serializer is signing.JSONSerializer:  # which makes an encoder each time
            return signed_text.sign(_JSON.encode(data).encode("latin-1"), salt, at=at)
        made = made_for(serializer, engine, salt)
        return signed_text.sign(made.dumps(data), salt, compression(serializer), at)
    except UNSTORABLE as error:
        dumps = made_for(serializer, engine, salt).dumps
        raise_encode_error(data, dumps, serializer.__name__, _PLAIN, error)


def decode(
    text: str | bytes,
    serializer: Callable[[], Serializer],
    salt: str,
    report: Callable[[str], None] | None = None,
    engine: str = "",
) -> dict[str, Any] | None:
    """Return the data of ``text``, or None if it is corrupt or wrongly signed.

    That is logged once, by ``report`` if it is given, with the reason, and without key or data. An
    error that no data can cause (a serializer's own TypeError, say) is raised.
    """
    report = report or report_corruption
    if not isinstance(text, str):
        report(f"it is not text but of type {type(text).__name__}")
        return None
    try:
        data = _loads(signed_text.unsign(text, salt), serializer, engine, salt)
    except signing.BadSignature:
        report("its signature does not match")
    except UNREADABLE as error:
        report(f"it is signed but cannot be read ({type(error).__name__})")
    else:
        if isinstance(data, dict):
            return data
        report(f"it holds a {type(data).__name__} instead of a dictionary")
    return None


def content(text: str) -> bytes:
    """Return what the serializer made, out of a ``text`` of ``encode()`` that can be trusted.

    Raises ValueError or zlib.error where ``text`` is something else.
    """
    return signed_text.unpack(text.partition(":")[0].encode())


def loads(
    content: bytes, serializer: Callable[[], Serializer], salt: str = "", engine: str = ""
) -> dict[str, Any] | None:
    """Return the data of what the serializer made, or None if it is corrupt, which is logged."""
    try:
        data = _loads(content, serializer, engine, salt)
    except UNREADABLE as error:
        report_corruption(f"it cannot be read ({type(error).__name__})")
        return None
    if isinstance(data, dict):
        return data
    report_corruption(f"it holds a {type(data).__name__} instead of a dictionary")
    return None


def remainder(text: str) -> str:
    """Return what ``text``, made by ``encode()``, has beyond the data: time and signature."""
    return text.partition(":")[2]


def saved_at(remainder: str) -> int | None:
    """Return the time in what ``remainder()`` gave (seconds since the epoch), None without one."""
    time, _, signature = remainder.partition(":")
    return signed_text.number(time) if signature else None


def rebuild(
    data: Mapping[str, Any],
    serializer: Callable[[], Serializer],
    remainder: str,
    salt: str = "",
    engine: str = "",
) -> str:
    """Return the text that ``encode()`` once made of ``data``, given what it had beyond that."""
    if serializer is signing.JSONSerializer:
        packed = signed_text.pack(_JSON.encode(data).encode("latin-1"))
    else:
        packed = signed_text.pack(
            made_for(serializer, engine, salt).dumps(data), compression(serializer)
        )
    return f"{packed.decode()}:{remainder}"


def is_current(
    text: str,
    data: Mapping[str, Any],
    serializer: Callable[[], Serializer],
    salt: str,
    engine: str = "",
) -> bool:
    """Return whether ``encode()`` would make ``text`` of its ``data`` now, time and packing aside.

    Where no two texts of the same data are alike, the serializer's ``is_current()`` tells.
    """
    if not signed_text.is_signed_now(text, salt):
        return False
    made = made_for(serializer, engine, salt)
    asks = getattr(made, "is_current", None)
    return bool(made.dumps(data) == content(text) if asks is None else asks(content(text)))


def made_for(serializer: Callable[[], Serializer], engine: str, purpose: str) -> Serializer:
    """Return an instance, which knows engine and purpose if it asks for them."""
    bind = getattr(serializer, "for_engine", None)
    made: Serializer = serializer() if bind is None else bind(engine, purpose)
    return made


def dumps_of(
    serializer: Callable[[], Serializer], engine: str, purpose: str
) -> Callable[..., bytes]:
    """Return what makes the bytes of data that tell its size: before they are encrypted."""
    made = made_for(serializer, engine, purpose)
    dumps: Callable[..., bytes] = getattr(made, "inner", made).dumps
    return dumps


def encrypts(serializer: object) -> bool:
    """Return whether a serializer says that what it writes is to be stored, and nothing plainer."""
    return bool(getattr(serializer, "encrypts", False))


def compression(serializer: object) -> signed_text.Compression:
    """Return what a serializer wants compressed; what Django does, if it does not say."""
    usual = signed_text.USUAL
    return signed_text.Compression(
        getattr(serializer, "compress_from", usual.minimum),
        getattr(serializer, "compress_level", usual.level),
    )


def _loads(data: bytes, serializer: Callable[[], Serializer], engine: str, salt: str) -> Any:
    if serializer is not signing.JSONSerializer:
        return made_for(serializer, engine, salt).loads(data)
    text = data.decode("latin-1")
    value, end = _JSON_DECODER.raw_decode(text)  # decode() also looks for white space around it
    return value if end == len(text) else _JSON_DECODER.decode(text)


def report_corruption(reason: str, key: str | None = None, place: str = "") -> None:
    """Log that the data of a session is worthless, why, and at what place; ``key`` is not logged.

    That is the session's key or a stored form of it, None where nobody knows.
    """
    _security.warning("Session data corrupted: %s%s", reason, place)
    _tell(reason, key)


def report_forgery(reason: str, key: str | None = None) -> None:
    """Log the same of what a cookie holds, which anybody can cause; of many, how many they were."""
    log_rate.corruptions.admit(partial(_security.warning, "Session data corrupted: %s"), reason)
    _tell(reason, key)


def say_nothing(reason: str) -> None:
    """Take the place of who reports, where corrupt data is made up for, or counted."""


def _tell(reason: str, key: str | None) -> None:
    for listener in listeners:
        listener(reason, key)
