"""Listing all sessions, batch by batch: memory does not grow with their number."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from random import Random
from typing import Any, Final, TypeVar

from dj_sessions import _keys
from dj_sessions.storage.record import Entries, Entry, Sample

T = TypeVar("T")

#: Names that are listed, and sessions that are read, at a time for a sample.
SAMPLED: Final = 500

#: What is no plain character in the patterns of Redis.
_SPECIAL: Final = re.compile(r"([*?\[\]\\])")

#: Names that Redis looks at in one command, also those of others: a fraction of a millisecond.
SCANNED: Final = 1000


def in_batches(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield ``things``, ``size`` at a time."""
    left = iter(things)
    while batch := list(islice(left, size)):
        yield batch


def refuse_after(after: str, store: str) -> None:
    """Raise NotImplementedError if ``after`` is given: ``store`` has no order."""
    if after:
        raise NotImplementedError(f"{store} lists its sessions in no order")


def beginning(name: Callable[[str], str]) -> str:
    """Return what stands before the key in each ``name(key)``.

    Raises NotImplementedError if names are not made so.
    """
    found = {name(key).partition(key)[::2] for key in (_keys.new_key(), _keys.new_key())}
    start, end = found.pop()
    if found or end:
        raise NotImplementedError("The names of the entries do not end with the session keys")
    return start


def scanned(client: Any, start: str, *, has_own_keys: bool = False) -> Iterator[str]:
    """Yield what follows ``start`` in the names of a Redis, or of all masters of a cluster.

    What other names begin with may begin with ``start``: only what can be a key, or the stored form
    of one, is a session. With ``has_own_keys`` that is anything without white space or a slash.
    """
    is_ours = _keys.is_custom_key if has_own_keys else _keys.is_key
    for found in client.scan_iter(match=_SPECIAL.sub(r"\\\1", start) + "*", count=SCANNED):
        # A client of the site's own may decode.
        name = found if isinstance(found, str) else found.decode("utf-8", "replace")
        key = name.removeprefix(start)
        if is_ours(key) or _keys.is_hashed(key):
            yield key


def all_names(storage: Any, size: int = SAMPLED) -> Iterator[str]:
    """Yield all names of a storage, which lists them ``size`` at a time."""
    return chain.from_iterable(storage.names(size))


def all_entries(storage: Any, size: int, after: str = "") -> Iterator[Entries]:
    """Yield all sessions, ``size`` at a time: the entries, or what is read under the names.

    ``after`` begins behind a name. Raises NotImplementedError if the storage can list neither.
    """
    if after:
        yield from read_listed(storage, chain.from_iterable(storage.names(size, after)), size)
        return
    try:
        yield from storage.entries(size)
    except NotImplementedError:
        yield from named_entries(storage, size)


def named_entries(storage: Any, size: int) -> Iterator[Entries]:
    """Yield what is read under all names, ``size`` sessions at a time."""
    return read_listed(storage, all_names(storage, size), size)


def read_listed(storage: Any, names: Iterable[str], size: int) -> Iterator[Entries]:
    """Yield the sessions under ``names``, ``size`` at a time, without forwards."""
    for batch in in_batches(names, size):
        different = list(dict.fromkeys(batch))
        found = storage.many("read_whole", [(name,) for name in different])
        yield [
            Entry(name, record)
            for name, record in zip(different, found, strict=True)
            if record is not None and record.forward is None and record.payload
        ]


def count_forms(storage: Any) -> dict[str, int]:
    """Return how many of all names are "plain" keys, and how many "hashed" ones."""
    found = Counter(map(_keys.is_hashed, all_names(storage)))
    return {"plain": found[False], "hashed": found[True]}


def sample(storage: Any, size: int, random: Random) -> Sample:
    """Return ``size`` sessions, chosen among all names."""
    chosen, total = choose(all_names(storage), size, random)
    return Sample(total, read_listed(storage, chosen, SAMPLED))


def choose(names: Iterable[str], size: int, random: Random) -> tuple[list[str], int]:
    """Return ``size`` of ``names``, each as likely as any other, and how many there are."""
    chosen: list[str] = []
    total = 0
    for total, name in enumerate(names, 1):
        if len(chosen) < size:
            chosen.append(name)
        elif (place := random.randrange(total)) < size:
            chosen[place] = name
    return chosen, total
