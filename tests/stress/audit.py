"""What the store holds in the end, against what the actors were told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.stress.journal import Journal


@dataclass
class Verdict:
    """`lost` counts acknowledged writes; the others are told by one line each."""

    lost: int = 0
    losses: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    revived: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def audit(store_class: Any, journal: Journal) -> Verdict:
    verdict = Verdict()
    for key in journal.claims.keys() - journal.ended.keys() - set(journal.undecided):
        audit_living(store_class, key, journal, verdict)
    store_class.clear_expired()
    for key, how in journal.ended.items():
        seen = ["load, right after it"] if key in journal.revived else []
        seen += traces(store_class, key)
        if seen:
            verdict.revived.append(f"{key}, ended by {how}: {', '.join(seen)}")
    return verdict


def audit_living(store_class: Any, key: str, journal: Journal, verdict: Verdict) -> None:
    session = store_class(key)
    data = dict(session.items())
    for name, claim in journal.claims[key].items():
        stored = data.get(name)
        verdict.lost += claim.lost(stored)
        line = f"{key} {name}: {claim.acknowledged!r} acknowledged, {stored!r} stored"
        if claim.lost(stored):
            verdict.losses.append(line)
        if claim.is_invented(stored):
            verdict.invented.append(line)


def traces(store_class: Any, key: str) -> Iterator[str]:
    """Where an ended session can still be found, which asks past the engine, too."""
    session = store_class(key)
    data = dict(session.items())
    if data or session.session_key is not None:
        yield "load"
    if store_class().exists(key):
        yield "exists"
    yield from (place for place, is_there in PLACES.items() if is_there(store_class, key))


def has_row(store_class: Any, key: str) -> bool:
    if not hasattr(store_class, "get_model_class"):
        return False
    return bool(store_class.get_model_class().objects.filter(session_key=key).exists())


def has_copy(store_class: Any, key: str) -> bool:
    if not hasattr(store_class, "cache_key_prefix"):
        return False
    session = store_class(key)
    return session._cache.get(session.cache_key) is not None


def has_file(store_class: Any, key: str) -> bool:
    return hasattr(store_class, "_key_to_file") and Path(store_class(key)._key_to_file()).exists()


PLACES = {"row": has_row, "cached copy": has_copy, "file": has_file}


def remove_all(store_class: Any, journal: Journal) -> None:
    for key in {*journal.claims, *journal.ended, *journal.undecided}:
        store_class().delete(key)
