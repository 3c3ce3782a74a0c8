"""What storage verbs take and give."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Record:
    """What a store keeps under a key.

    ``payload`` is the data as stored: a text, or what else the store takes. ``expiry``
    (datetime) is when it ends, None where the store itself forgets it, or only the data tells.
    """

    payload: Any
    expiry: datetime | None = None
