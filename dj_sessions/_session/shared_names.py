"""The names of values, which the sessions of a site have in common, held in memory once.

A session that is loaded keeps the payload that a save compares with. Sharing the names makes up
for it: reading gives each session names of its own.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

#: More different names than so many, or longer ones, are not shared: they are no longer names, but
#: data, and what is shared stays in memory for as long as the process.
MOST: Final = 500
LONGEST: Final = 40

_TEXTS: Final = {str}
_shared: Final[dict[str, str]] = {}


def share(data: dict[str, Any]) -> dict[str, Any]:
    """Return ``data`` with the names that earlier calls were given."""
    # A class of somebody's serializer, or what only equals a text, stays what it is.
    if type(data) is not dict or {*map(type, data)} != _TEXTS:
        return data
    try:
        return {_shared[name]: value for name, value in data.items()}
    except KeyError:
        fresh = (name for name in data if len(name) <= LONGEST and name not in _shared)
        _shared.update((name, name) for name in islice(fresh, max(0, MOST - len(_shared))))
    return {_shared.get(name, name): value for name, value in data.items()}
