"""Session data to signed text and back, in Django's wire format."""

from __future__ import annotations

import json
import logging
import pickle
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NoReturn, Protocol

from django.core import signing

from dj_sessions._codec import log_rate, signed_text
from dj_sessions.exceptions import SessionEncodeError

_security = logging.getLogger("django.security.SuspiciousSession")

#: What unpacking data of another shape raises, as opposed to a serializer that is broken.
UNREADABLE = (ValueError, EOFError, zlib.error, pickle.UnpicklingError)
#: The same of a pickle, whose classes may have moved or changed since.
UNREADABLE_PICKLE = (*UNREADABLE, AttributeError, ImportError, IndexError, KeyError)
#: What the serializers of the standard library raise for a value that they cannot hold.
UNSTORABLE = (TypeError, ValueError, AttributeError, RecursionError, pickle.PicklingError)


#: How far to look for it: data that holds itself, or nests for ever, has no innermost part.
_DEPTH = 32

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
) -> str:
    """Return ``data`` serialized, compressed where that helps, and signed with ``salt``.

    The text says that it was signed ``at`` (epoch seconds), now by default.

    Raises SessionEncodeError, which names the place, for a value that the serializer cannot hold.
    """
    try:
        if serializer is signing.JSONSerializer:  # which makes an encoder each time
            return signed_text.sign(_JSON.encode(data).encode("latin-1"), salt, at=at)
        return signed_text.sign(serializer().dumps(data), salt, _compression(serializer), at)
    except UNSTORABLE as error:
        raise_encode_error(data, serializer().dumps, serializer.__name__, _PLAIN, error)


def decode(
    text: str | bytes,
    serializer: Callable[[], Serializer],
    salt: str,
    place: Callable[[], str] = str,
    report: Callable[[str], None] | None = None,
) -> dict[str, Any] | None:
    """Return the data of ``text``, or None if it is corrupt or wrongly signed.

    That is logged once, by ``report`` if it is given, with the reason and what ``place`` adds, and
    without key or data. An error that no data can cause (a serializer's own TypeError, say) is
    raised.
    """
    report = report or report_corruption
    if not isinstance(text, str):
        report(f"it is no text but of type {type(text).__name__}{place()}")
        return None
    try:
        data = _loads(signed_text.unsign(text, salt), serializer)
    except signing.BadSignature:
        report(f"its signature does not match{place()}")
    except UNREADABLE as error:
        report(f"it is signed but cannot be read ({type(error).__name__}){place()}")
    else:
        if isinstance(data, dict):
            return data
        report(f"it holds a {type(data).__name__} instead of a dictionary{place()}")
    return None


def content(text: str) -> bytes:
    """Return what the serializer made, out of a ``text`` of ``encode()`` that can be trusted.

    Raises ValueError or zlib.error where ``text`` is something else.
    """
    return signed_text.unpack(text.partition(":")[0].encode())


def loads(content: bytes, serializer: Callable[[], Serializer]) -> dict[str, Any] | None:
    """Return the data of what the serializer made, or None if it is corrupt, which is logged."""
    try:
        data = _loads(content, serializer)
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


def rebuild(data: Mapping[str, Any], serializer: Callable[[], Serializer], remainder: str) -> str:
    """Return the text that ``encode()`` once made of ``data``, given what it had beyond that."""
    if serializer is signing.JSONSerializer:
        packed = signed_text.pack(_JSON.encode(data).encode("latin-1"))
    else:
        packed = signed_text.pack(serializer().dumps(data), _compression(serializer))
    return f"{packed.decode()}:{remainder}"


def _compression(serializer: object) -> signed_text.Compression:
    """Return what a serializer wants compressed; what Django does, if it does not say."""
    usual = signed_text.USUAL
    return signed_text.Compression(
        getattr(serializer, "compress_from", usual.minimum),
        getattr(serializer, "compress_level", usual.level),
    )


def _loads(data: bytes, serializer: Callable[[], Serializer]) -> Any:
    if serializer is not signing.JSONSerializer:
        return serializer().loads(data)
    text = data.decode("latin-1")
    value, end = _JSON_DECODER.raw_decode(text)  # decode() also looks for white space around it
    return value if end == len(text) else _JSON_DECODER.decode(text)


def report_corruption(reason: str) -> None:
    """Log that the data of a session is worthless, and why."""
    _security.warning("Session data corrupted: %s", reason)


def report_forgery(reason: str) -> None:
    """Log the same of what a cookie holds, which anybody can cause; of many, how many they were."""
    log_rate.corruptions.admit(partial(_security.warning, "Session data corrupted: %s"), reason)


def raise_encode_error(
    data: Mapping[str, Any],
    dumps: Callable[[Any], object],
    holder: str,
    remedy: str,
    error: Exception,
) -> NoReturn:
    """Raise the error that names what in ``data`` made ``dumps`` fail with ``error``.

    ``error`` itself is raised again where the data is not at fault: every part of it can be
    stored, or not even an empty dictionary can.
    """
    found = _find_unstorable(data, dumps, "session") if _storable({}, dumps) else None
    if found is None:
        raise error
    path, value = found
    said = f"{holder} said: {error}. {remedy}"
    raise SessionEncodeError(path, type(value), said) from error


def _find_unstorable(
    value: Any, dumps: Callable[[Any], object], path: str
) -> tuple[str, Any] | None:
    """Return the path and value of the innermost part that ``dumps`` refuses."""
    if _storable(value, dumps):
        return None
    for _ in range(_DEPTH):
        if isinstance(value, Mapping):
            for key in value:
                if not _storable({key: None}, dumps):
                    return f"the key {key!r} of {path}", key
        refused = next(
            (part for part in _parts(value, path) if not _storable(part[1], dumps)), None
        )
        if refused is None:
            break
        path, value = refused
    return path, value


def _storable(value: Any, dumps: Callable[[Any], object]) -> bool:
    try:
        dumps(value)
    except UNSTORABLE:
        return False
    return True


def _parts(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield f"{path}[{key!r}]", part
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield f"{path}[{index}]", part
