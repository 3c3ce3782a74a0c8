"""Sessions as entries of Redis: signed text, with a time to live."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from django.utils import timezone
from redis.exceptions import ResponseError

from dj_sessions._codec import forwards
from dj_sessions.storage.base import Entries, Entry, Record, Storage
from dj_sessions.storage.listing import in_batches, named_entries, refuse_after, scanned
from dj_sessions.storage.redis.server import Commands, RedisServer
from dj_sessions.storage.redis.steps import MARK, Step, are_apart

MILLISECOND: Final = timedelta(milliseconds=1)
FORWARD_AGE: Final = forwards.AGE * 1000
#: Sessions that one round trip reads.
TOGETHER: Final = 500


class RedisStorage(Storage):
    """One entry for each session, under ``prefix`` and its key.

    Each method is one command, or one script, on that entry, and ``rename()`` one on two, which a
    cluster has in different places. A forward stands under the old key itself: no session begins as
    it does. ``has_own_keys()`` returns whether session keys may be other ones than those of this
    package.
    """

    atomic_replace = True
    forgets_expired = True
    async_native = True

    def __init__(
        self, server: RedisServer, prefix: str, has_own_keys: Callable[[], bool] = bool
    ) -> None:
        self.server = server
        self._prefix = prefix
        self._has_own_keys = has_own_keys

    @property
    def atomic_rename(self) -> bool:  # type: ignore[override] # it depends on the server
        """Whether both names are on one server."""
        return not self.server.is_cluster

    @property
    def place(self) -> Any:
        """The server, and the prefix of the entries."""
        return self.server, self._prefix

    def name_of(self, key: str) -> str:
        """Return the name of the entry of a session."""
        return self._prefix + key

    def read(self, key: str) -> Record | None:
        return _record(self.server.send("GET", self.name_of(key)))

    async def aread(self, key: str) -> Record | None:
        return _record(await self.server.asend("GET", self.name_of(key)))

    def read_whole(self, key: str) -> Record | None:
        found = self.read(key)
        if found is None or found.forward is not None:
            return found
        return _whole(found, self.server.send("PTTL", self.name_of(key)))

    def read_among(self, keys: Collection[str]) -> dict[str, Record]:
        found = dict[str, Record]()
        for some in in_batches(keys, TOGETHER):
            answers = self.server.send_many([("GET", self.name_of(key)) for key in some])
            pairs = zip(some, map(_record, answers), strict=True)
            found |= {key: record for key, record in pairs if record and record.forward is None}
        return found

    def read_renamed(self, key: str, new: str, latest: bool = False) -> tuple[str, Record] | None:
        return self.server.run(self._reading(key, new))

    async def aread_renamed(
        self, key: str, new: str, latest: bool = False
    ) -> tuple[str, Record] | None:
        return await self.server.arun(self._reading(key, new))

    def _reading(self, *keys: str) -> Commands[tuple[str, Record] | None]:
        """Read both at once where that can be: between two looks a session may be renamed."""
        if self.atomic_rename:
            answers = yield "MGET", *map(self.name_of, keys)
            # An error is a refusal: of MGET to this user, or by a cluster.
            if not isinstance(answers, ResponseError):
                found = zip(keys, map(_record, answers), strict=True)
                return next(((key, record) for key, record in found if record), None)
        for key in keys:
            answer = yield "GET", self.name_of(key)
            if isinstance(answer, ResponseError):
                raise answer
            if record := _record(answer):
                return key, record
        return None

    def insert(self, key: str, record: Record) -> bool:
        lifetime = _lifetime(record)
        if not lifetime:  # which Redis does not take
            return not self.holds(key)
        return bool(self.server.send(*self._insertion(key, record, lifetime)))

    async def ainsert(self, key: str, record: Record) -> bool:
        lifetime = _lifetime(record)
        if not lifetime:
            return not await self.aholds(key)
        return bool(await self.server.asend(*self._insertion(key, record, lifetime)))

    def replace(self, key: str, record: Record, expected: Record | None) -> bool:
        return self.server.take(self._replacement(key, record, expected))

    async def areplace(self, key: str, record: Record, expected: Record | None) -> bool:
        return await self.server.atake(self._replacement(key, record, expected))

    def rename(self, key: str, new: str, record: Record, expected: Record | None) -> str | None:
        return self.server.run(self._renaming(key, new, record, expected))

    async def arename(
        self, key: str, new: str, record: Record, expected: Record | None
    ) -> str | None:
        return await self.server.arun(self._renaming(key, new, record, expected))

    def _renaming(
        self, key: str, new: str, record: Record, expected: Record | None
    ) -> Commands[str | None]:
        step = self._replacement(key, record, expected)
        if self.atomic_rename:
            renaming = step._replace(new=self.name_of(new))
            try:
                return new if (yield from self.server.taking(renaming)) else None
            except ResponseError as error:
                if not are_apart(error):
                    raise
                self.server.note_cluster()
        return key if (yield from self.server.taking(step)) else None

    def remove(self, key: str, expected: Record | None = None) -> bool:
        return self.server.take(self._removal(key, expected))

    async def aremove(self, key: str, expected: Record | None = None) -> bool:
        return await self.server.atake(self._removal(key, expected))

    def move(self, key: str, expected: Record | None, forward: str) -> bool:
        return self.server.take(self._move(key, expected, forward))

    async def amove(self, key: str, expected: Record | None, forward: str) -> bool:
        return await self.server.atake(self._move(key, expected, forward))

    def drop_forward(self, key: str) -> None:
        found = self.read(key)
        if found is not None and found.forward is not None:
            self.server.take(Step(self.name_of(key), b"", 0, MARK + _bytes(found.forward)))

    def holds(self, key: str) -> bool:
        return _is_session(self.server.send(*self._beginning(key)))

    async def aholds(self, key: str) -> bool:
        return _is_session(await self.server.asend(*self._beginning(key)))

    def names(self, batch: int, after: str = "") -> Iterator[list[str]]:
        refuse_after(after, "Redis")
        client, has_own_keys = self.server.client, self._has_own_keys()
        return in_batches(scanned(client, self._prefix, has_own_keys=has_own_keys), batch)

    def entries(self, batch: int) -> Iterator[Entries]:
        return named_entries(self, batch)

    def rewrite(self, entry: Entry, payload: str) -> bool:
        if entry.record.expiry is None:  # it has ended since it was read
            return False
        return self.replace(entry.name, replace(entry.record, payload=payload), entry.record)

    def many(self, method: str, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        if method == "read_whole":
            names = [self.name_of(key) for (key,) in calls]
            answers = self.server.send_many([("GET", name) for name in names])
            left = self.server.send_many([("PTTL", name) for name in names])
            return list(map(_whole, map(_record, answers), left))
        if method == "insert" and all(_lifetime(record) for _, record in calls):
            insertions = [self._insertion(key, new, _lifetime(new)) for key, new in calls]
            return list(map(bool, self.server.send_many(insertions)))
        if method == "replace":
            return self.server.take_many([self._replacement(*call) for call in calls])
        if method == "remove":
            return self.server.take_many([self._removal(*call) for call in calls])
        return super().many(method, calls)

    def _beginning(self, key: str) -> tuple[Any, ...]:
        return "GETRANGE", self.name_of(key), 0, len(MARK) - 1

    def _insertion(self, key: str, record: Record, lifetime: int) -> tuple[Any, ...]:
        return "SET", self.name_of(key), _bytes(record.payload), "PX", lifetime, "NX"

    def _replacement(self, key: str, record: Record, expected: Record | None) -> Step:
        value = _bytes(record.payload)
        return Step(self.name_of(key), value, _lifetime(record), _expected(expected))

    def _removal(self, key: str, expected: Record | None = None) -> Step:
        return Step(self.name_of(key), b"", 0, _expected(expected))

    def _move(self, key: str, expected: Record | None, forward: str) -> Step:
        value = MARK + _bytes(forward)
        return Step(self.name_of(key), value, FORWARD_AGE, _expected(expected))


def _expected(record: Record | None) -> bytes | None:
    return None if record is None else _bytes(record.payload)


def _lifetime(record: Record) -> int:
    """Return for how many milliseconds a record lives from now on; 0 if it is over."""
    if record.expiry is None:
        raise ValueError("The record does not say for how long it lives.")
    return max(0, (record.expiry - timezone.now()) // MILLISECOND)


def _record(answer: bytes | str | None) -> Record | None:
    if answer is None:
        return None
    text = _text(answer)
    if text.startswith(forwards.MARK):
        return Record(None, forward=text.removeprefix(forwards.MARK))
    return Record(text)


def _whole(record: Record | None, left: int) -> Record | None:
    """Return a record with its expiry, ``left`` milliseconds from now."""
    if record is None or record.forward is not None or left < 0:
        return record
    return replace(record, expiry=timezone.now() + left * MILLISECOND)


def _is_session(beginning: bytes | str) -> bool:
    """Return whether an entry begins as a session does; one that is not there is empty."""
    return _text(beginning) not in ("", forwards.MARK)


def _text(answer: bytes | str) -> str:
    # A site's own client may decode. What is no text at all is for the decoder to report.
    return answer if isinstance(answer, str) else answer.decode("utf-8", "surrogateescape")


def _bytes(payload: str) -> bytes:
    return payload.encode("utf-8", "surrogateescape")
