"""What is there from the start, at 0, so that the first event of its kind is seen.

Prometheus sees a counter rise by what it was before. One that its first event makes has no before,
and an alert for an increase is silent. So all counters are made at the start whose attributes
are known by then: not the class of an error, and not which operations a site's sessions need.

https://prometheus.io/docs/practices/instrumentation/#avoid-missing-metrics
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import product
from typing import Any, Final, TypeAlias

from dj_sessions._metrics.instruments import (
    COPY_READS,
    ENDED,
    INSTRUMENTS,
    KEYS_REFUSED,
    MERGES,
    SAVES,
    Instrument,
)
from dj_sessions._metrics.recording import engine_name
from dj_sessions._session import counting
from dj_sessions.backends import cached_db, moving
from dj_sessions.conf import conf, store_class
from dj_sessions.signals import EndReason, RefusalReason
from dj_sessions.storage.copies import counted

__all__ = ["KNOWN", "expected"]

#: Texts by the name of an attribute.
Values: TypeAlias = Mapping[str, tuple[str, ...]]

#: What an instrument's own attributes can be.
KNOWN: Final[Mapping[Instrument, Values]] = {
    SAVES: {"kind": counting.KINDS},
    MERGES: {"outcome": counting.OUTCOMES},
    COPY_READS: {"outcome": counted.OUTCOMES},
    # What is gone was not ended: no signal is sent for it, and nothing is counted.
    ENDED: {"reason": tuple(each.value for each in EndReason if each is not EndReason.GONE)},
    KEYS_REFUSED: {"reason": tuple(each.value for each in RefusalReason)},
}


def expected() -> Iterator[tuple[Instrument, tuple[str, ...]]]:
    """Yield each instrument with the texts of its attributes, if all of them are known."""
    of_settings = _of_settings()
    for instrument in INSTRUMENTS:
        values = {**of_settings, **KNOWN.get(instrument, {})}
        if values.keys() >= set(instrument.attributes):
            for texts in product(*(values[each] for each in instrument.attributes)):
                yield instrument, texts


def _of_settings() -> Values:
    """Return the engine that the settings name, and the cache if that has copies in one."""
    stores = _stores()
    has_copies = any(issubclass(each, cached_db.SessionStore) for each in stores)
    return {
        "engine": tuple(engine_name(each) for each in stores[:1]),
        "cache": (conf.SESSION_CACHE_ALIAS,) if has_copies else (),
    }


def _stores() -> list[Any]:
    """Return the class that keeps the sessions, and the two between which it moves them."""
    with suppress(Exception):  # the checks name it
        store = store_class()
        if not issubclass(store, moving.SessionStore):
            return [store]
        move = moving.find_move()
        return [store, move.source, move.target]
    return []
