"""The names of values, which the sessions of a site have in common, held in memory once.

A session that is loaded keeps the payload that a save compares with. Sharing the names makes up
for it: reading gives each session names of its own.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

#: More different names than so many are not shared: they are no longer names, but data.
MOST: Final = 500

_shared: Final[dict[str, str]] = {}


def share(data: dict[str, Any]) -> dict[str, Any]:
    """Return ``data`` with the names that earlier calls were given."""
    if type(data) is not dict:  # a class of somebody's serializer
        return data
    if (room := MOST - len(_shared)) > 0:
        fresh = (name for name in data if type(name) is str and name not in _shared)
        _shared.update((name, name) for name in islice(fresh, room))
    # Only texts: True would become 1, which is equal.
    return {
        (_shared.get(name, name) if type(name) is str else name): value
        for name, value in data.items()
    }
