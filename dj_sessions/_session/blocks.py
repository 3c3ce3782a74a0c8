"""What keeps the place of a session that has ended before it was stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dj_sessions._session.limits import USER_ID

#: What stands in a record of nobody that keeps its place from others.
BLOCK: Final = "_session_blocked"


def is_block(data: Mapping[str, Any] | None) -> bool:
    """Return whether a record only keeps a place, and is no session.

    With a user it is one: a server that does not know of blocks has gone on with it.
    """
    return data is not None and BLOCK in data and data.get(USER_ID) is None
