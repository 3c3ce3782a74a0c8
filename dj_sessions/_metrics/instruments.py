"""Everything that is counted or measured: names, units and attributes, each with few values.

The names follow OpenTelemetry's conventions. In Prometheus ``dj_sessions.save.size``, in bytes, is
``dj_sessions_save_size_bytes``; the counter ``dj_sessions.saves`` is ``dj_sessions_saves_total``.

https://opentelemetry.io/docs/specs/semconv/general/naming/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["INSTRUMENTS", "Instrument"]


@dataclass(frozen=True, eq=False, slots=True)
class Instrument:
    """A counter, or a histogram where there are ``boundaries``, the upper ones of its buckets.

    ``unit`` is "s", "By" for bytes, or what is counted, in braces. A value is recorded with one
    text for each of ``attributes``.
    """

    name: str
    unit: str
    description: str
    attributes: tuple[str, ...] = ()
    boundaries: tuple[float, ...] = ()

    @property
    def is_histogram(self) -> bool:
        """Whether its values are spread over buckets."""
        return bool(self.boundaries)


#: Seconds, from what memory takes to what a request gives up after.
_CALLS: Final = (
    *(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
_OUTAGES: Final = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400)
#: Bytes; what is over 4096 fits no cookie.
_SIZES: Final = (128, 256, 512, 1024, 2048, 4096, 8192, 16384, 65536, 262144, 1048576)

STORAGE_DURATION: Final = Instrument(
    "dj_sessions.storage.duration",
    "s",
    "Time that one operation of a session's storage takes",
    ("engine", "operation"),
    _CALLS,
)
STORAGE_ERRORS: Final = Instrument(
    "dj_sessions.storage.errors",
    "{error}",
    "Operations of a session's storage that failed",
    ("engine", "operation", "error.type"),
)
SAVES: Final = Instrument(
    "dj_sessions.saves",
    "{save}",
    "Saves of sessions: new, changed or unchanged ones",
    ("engine", "kind"),
)
SAVE_SIZE: Final = Instrument(
    "dj_sessions.save.size", "By", "Bytes of a session as it is stored", ("engine",), _SIZES
)
CONFLICTS: Final = Instrument(
    "dj_sessions.save.conflicts",
    "{conflict}",
    "Attempts to save that met what another request had saved, and were made again",
)
MERGES: Final = Instrument(
    "dj_sessions.merges",
    "{merge}",
    "What became of the changes of two requests to one session",
    ("outcome",),
)
COPY_READS: Final = Instrument(
    "dj_sessions.copy.reads",
    "{read}",
    "Looks for the copy of a session in the cache, and what was found",
    ("cache", "outcome"),
)
COPY_RENEWALS: Final = Instrument(
    "dj_sessions.copy.renewals",
    "{renewal}",
    "New generations of copies, each of which makes the copies before it void",
    ("cache",),
)
OUTAGES: Final = Instrument(
    "dj_sessions.outages", "{outage}", "Outages of a cache that have begun", ("cache",)
)
OUTAGE_DURATION: Final = Instrument(
    "dj_sessions.outage.duration", "s", "Length of outages that are over", ("cache",), _OUTAGES
)
STARTED: Final = Instrument(
    "dj_sessions.started", "{session}", "Sessions that were stored for the first time", ("engine",)
)
RENEWED: Final = Instrument(
    "dj_sessions.renewed", "{session}", "Unchanged sessions whose life began anew", ("engine",)
)
KEY_CHANGES: Final = Instrument(
    "dj_sessions.key.changes", "{session}", "Sessions that go on under another key", ("engine",)
)
ENDED: Final = Instrument(
    "dj_sessions.ended", "{session}", "Sessions that were ended", ("engine", "reason")
)
KEYS_REFUSED: Final = Instrument(
    "dj_sessions.key.refusals", "{request}", "Keys from requests without a session", ("reason",)
)
DATA_CORRUPT: Final = Instrument(
    "dj_sessions.data.corrupt", "{session}", "Sessions whose data is corrupt or forged"
)
LOGINS_REFUSED: Final = Instrument(
    "dj_sessions.login.refusals", "{login}", "Logins of users who have too many sessions"
)
RELOGINS_ASKED: Final = Instrument(
    "dj_sessions.relogins",
    "{request}",
    "Requests sent to the login page, as the last login was too long ago",
)

#: All of them.
INSTRUMENTS: Final = (
    *(STORAGE_DURATION, STORAGE_ERRORS, SAVES, SAVE_SIZE, CONFLICTS, MERGES),
    *(COPY_READS, COPY_RENEWALS, OUTAGES, OUTAGE_DURATION),
    *(STARTED, RENEWED, KEY_CHANGES, ENDED),
    *(KEYS_REFUSED, DATA_CORRUPT, LOGINS_REFUSED, RELOGINS_ASKED),
)
