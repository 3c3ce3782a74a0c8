"""The two forms of a copy, and the validation tag without which neither counts.

A tag is an HMAC of the generation, of the entry's name, of the copy, and of a random word: no tag
comes twice, so who compares with one compares with one moment. In its place may stand a *mark*: the
lease of a reader who is about to make a copy, or "busy", while nobody may make one. The cache's
adapter says what makes the HMAC, or what does in its place.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from dj_sessions._codec import payloads
from dj_sessions._codec.unstorable import UNSTORABLE
from dj_sessions.storage.caches import CacheAdapter
from dj_sessions.storage.copies.record import CopiedRecord

LEASE: Final = "lease "
BUSY: Final = "busy "

#: Names that are tried until one belongs to the same server: each is as likely as any other.
MOST_NAMES: Final = 64


class Codec(Protocol):
    """What makes data of a payload, and the payload of data."""

    def decode(self, payload: Any) -> dict[str, Any] | None:
        """Return the data of a payload, None if it is corrupt."""

    def copied(self, payload: Any) -> dict[str, Any] | None:
        """Return the data of a payload out of a cache; None, and not reported: ask for the row."""

    def trusted(self, payload: Any) -> dict[str, Any] | None:
        """Return the data of a payload that was made a moment ago."""

    def rebuild(self, data: dict[str, Any], remainder: str) -> Any:
        """Return the payload of data, given what it had beyond that; None if nobody can."""

    def loads(self, content: bytes) -> dict[str, Any] | None:
        """Return the data of what the serializer made, None if it is corrupt."""

    @property
    def is_plain(self) -> bool:
        """Whether payloads are what ``payloads.encode()`` makes, which a site may override.

        Not where they are encrypted: then they are copied as they are.
        """

    @property
    def encrypts(self) -> bool:
        """Whether nothing plainer than a payload is to be kept anywhere."""


class Copy(NamedTuple):
    """What is copied: a raw value with what the payload has beyond it, or the payload itself."""

    content: Any
    remainder: str = ""


def new_word() -> str:
    """Return a word that nobody has used."""
    return secrets.token_hex(6)


def beside(adapter: CacheAdapter, stem: str, place: Hashable) -> str:
    """Return a name that begins with ``stem``, on the same server of several as ``place``."""
    if place is None:
        return stem
    names = (stem + "/" * count for count in range(MOST_NAMES))
    return next((name for name in names if adapter.place(name) == place), stem)


class Form(ABC):
    """How a session is kept in a cache: under its name, and under that of its tag."""

    def __init__(self, adapter: CacheAdapter, codec: Codec) -> None:
        self.adapter = adapter
        self.codec = codec

    def tag_name(self, name: str, place: Hashable) -> str:
        """Return the name of the entry that Django's form has the tag in."""
        return beside(self.adapter, f"{name}/tag", place)

    @abstractmethod
    def names(self, name: str, place: Hashable) -> tuple[str, ...]:
        """Return the names of the entries that are read and compared; the last has the tag."""

    @abstractmethod
    def other(self, name: str, place: Hashable) -> str:
        """Return the name of the entry that has no tag: the copy, or the other form's tag.

        With it data is left, or could count, when "busy" stands in the place of the tag.
        """

    @abstractmethod
    def copy(self, payload: Any, data: dict[str, Any] | None) -> Copy | None:
        """Return the copy of a record, whose data may be known; None of what no cache can hold."""

    @abstractmethod
    def seal(self, names: tuple[str, ...], copy: Copy, generation: str) -> dict[str, Any]:
        """Return the entries of a copy, with a tag that makes it count in ``generation``.

        ``names`` are what ``names()`` returned.
        """

    @abstractmethod
    def open(self, name: str, found: Mapping[str, Any], generation: str) -> Copy | None:
        """Return the copy if its tag is one of ``generation``."""

    @abstractmethod
    def data_of(self, copy: Copy) -> dict[str, Any] | None:
        """Return the data of a copy, a new one each time; None if it is corrupt."""

    @abstractmethod
    def payload_of(self, copy: Copy) -> Any:
        """Return the payload of the row that a copy was made of; None if nobody can."""

    @abstractmethod
    def remainder_of(self, copy: Copy) -> str:
        """Return what the payload of the row has beyond the data; empty if nobody knows."""

    def record(
        self, copy: Copy, row: Any = None, data: dict[str, Any] | None = None
    ) -> CopiedRecord | None:
        """Return the record of a copy; ``row`` and its ``data`` are what it was made of.

        None if it is corrupt.
        """
        data = self.data_of(copy) if data is None else data
        return None if data is None else CopiedRecord(self, copy, data, row)

    def is_busy(self, raws: Iterable[Any]) -> bool:
        """Return whether one of the raw values says that nobody may make a copy."""
        return any(map(self.busy, raws))

    def busy(self, raw: Any, *, add: str = "", without: str = "") -> str:
        """Return what says that a session is busy, in place of ``raw``; empty if nobody does."""
        said = self.value(raw)
        words = said.split(" ")[1:] if isinstance(said, str) and said.startswith(BUSY) else []
        words = [word for word in (*words, add) if word and word != without]
        return BUSY + " ".join(words) if words else ""

    def value(self, raw: Any) -> Any:
        """Return the value of a raw one, None of none and of what cannot be read."""
        try:
            return None if raw is None else self.adapter.decode(raw)
        except payloads.UNREADABLE_PICKLE:  # somebody else wrote it
            return None


class DjangoForm(Form):
    """The data as a dictionary, which Django's own engine reads and writes; the tag beside it."""

    def names(self, name: str, place: Hashable) -> tuple[str, ...]:
        return name, self.tag_name(name, place)

    def other(self, name: str, place: Hashable) -> str:
        return name

    def copy(self, payload: Any, data: dict[str, Any] | None) -> Copy | None:
        if self.codec.encrypts:  # since a serializer was assigned
            return None
        data = self.codec.trusted(payload) if data is None else data
        if data is None:
            return None
        try:
            raw = self.adapter.encode(data)
        except UNSTORABLE:  # by this cache, and it was by the serializer
            return None
        return Copy(raw, payloads.remainder(payload) if isinstance(payload, str) else "")

    def seal(self, names: tuple[str, ...], copy: Copy, generation: str) -> dict[str, Any]:
        (name, tag_name), word = names, new_word()
        tag = f"{self._tag(name, copy.content, generation, word)} {word} {copy.remainder}"
        return {name: copy.content, tag_name: self.adapter.encode(tag)}

    def open(self, name: str, found: Mapping[str, Any], generation: str) -> Copy | None:
        raw, tag = found.values()
        said = self.value(tag)
        if raw is None or not isinstance(said, str) or said.startswith((LEASE, BUSY)):
            return None
        tag, _, rest = said.partition(" ")
        word, _, remainder = rest.partition(" ")
        return Copy(raw, remainder) if tag == self._tag(name, raw, generation, word) else None

    def _tag(self, name: str, raw: Any, generation: str, word: str) -> str:
        head = f"{generation} {word} {len(name)} {name} ".encode()
        return self.adapter.tag(head + self.adapter.comparable(raw))

    def record(
        self, copy: Copy, row: Any = None, data: dict[str, Any] | None = None
    ) -> CopiedRecord | None:
        # What hits return as well, whatever a cache makes of the data.
        return super().record(copy, row)

    def payload_of(self, copy: Copy) -> Any:
        return self.codec.rebuild(self.data_of(copy) or {}, copy.remainder)

    def remainder_of(self, copy: Copy) -> str:
        return copy.remainder

    def data_of(self, copy: Copy) -> dict[str, Any] | None:
        return self.adapter.session_in(copy.content)
