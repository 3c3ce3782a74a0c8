"""Choosing some of the rows of sessions without reading the others.

Keys are random, and so are their hashes: the rows that follow a random key are a fair sample. They
are read from a few places, in which keys of a site's own are more likely to differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from random import Random
from typing import Any, Final

from django.db.models import QuerySet

from dj_sessions import _keys
from dj_sessions.storage.record import Entries, Entry, Record, Sample

#: Rows that are read behind each random key.
BLOCK: Final = 100


def sample(rows: QuerySet[Any], counts: Mapping[str, int], size: int, random: Random) -> Sample:
    """Return ``size`` of ``rows``; ``counts`` says how many there are under keys of which form."""
    total = sum(counts.values())
    return Sample(total, _chosen(rows, counts, min(size, total), random))


def _chosen(
    rows: QuerySet[Any], counts: Mapping[str, int], size: int, random: Random
) -> Iterator[Entries]:
    total = sum(counts.values())
    for form, count in counts.items():
        hashed = {"session_key__startswith": _keys.HASHED}
        some = rows.filter(**hashed) if form == "hashed" else rows.exclude(**hashed)
        share = round(size * count / total) if total else 0
        yield from _of_one_form(some.order_by("session_key"), share, count, form, random)


def _of_one_form(
    rows: QuerySet[Any], share: int, count: int, form: str, random: Random
) -> Iterator[Entries]:
    """Yield about ``share`` of ``count`` rows; most of them are read from one place on."""
    if share * 2 > count:
        yield from _following(rows, _random_name(form, random), share)
        return
    seen: set[str] = set()
    for _ in range(2 * (share // BLOCK + 1)):  # blocks may overlap, and sessions end meanwhile
        left = share - len(seen)
        if left:
            start = _random_name(form, random)
            found = list(chain.from_iterable(_following(rows, start, min(left, BLOCK))))
            yield [entry for entry in found if entry.name not in seen]
            seen.update(entry.name for entry in found)


def _following(rows: QuerySet[Any], start: str, limit: int) -> Iterator[Entries]:
    """Yield up to ``limit`` rows from ``start`` on, and from the first on behind the last."""
    for part in (rows.filter(session_key__gt=start), rows.filter(session_key__lte=start)):
        rest = part
        while limit and (found := _read(rest, min(limit, BLOCK))):
            limit -= len(found)
            yield found
            rest = part.filter(session_key__gt=found[-1].name)


def _read(rows: QuerySet[Any], limit: int) -> Entries:
    found = rows.values_list("session_key", "session_data")[:limit]
    return [Entry(key, Record(payload)) for key, payload in found]


def _random_name(form: str, random: Random) -> str:
    key = "".join(random.choices(_keys.VALID_KEY_CHARS, k=_keys.LENGTH))
    return _keys.FORMS[form](key)
