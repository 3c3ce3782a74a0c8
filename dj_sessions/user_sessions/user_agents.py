"""A user agent in words: which browser, on which system.

ua-parser names them, where the extra ``devices`` has installed it: its rules follow new browsers
each month. Without it the tables here know the common ones.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

try:
    from ua_parser import parse
except ImportError:  # the extra is not installed
    parse = None  # type: ignore[assignment]


class Client(NamedTuple):
    """The names of a browser and of its system; "" is one that is not known."""

    browser: str
    system: str


#: Characters of a user agent that a table shows.
SHOWN: Final = 60

#: What stands in a user agent, and whose it is; the first that is found counts.
BROWSERS: Final = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
SYSTEMS: Final = {
    "iPhone": "iOS",
    "iPad": "iOS",
    "Android": "Android",
    "Windows": "Windows",
    "CrOS": "ChromeOS",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}
#: What ua-parser calls otherwise than its makers do today.
_RENAMED: Final = {"Mac OS X": "macOS", "Chrome OS": "ChromeOS"}
#: What the name of a browser says of its system, which is named as well.
_REDUNDANT: Final = re.compile(r"^Mobile | Mobile\b| iOS$")


def client_named_in(user_agent: str) -> Client:
    """Return which browser and which system a ``User-Agent`` names."""
    if parse is None:
        return Client(_first(BROWSERS, user_agent), _first(SYSTEMS, user_agent))
    found = parse(user_agent)
    browser = found.user_agent.family if found.user_agent else ""
    system = found.os.family if found.os else ""
    return Client(_REDUNDANT.sub("", browser), _RENAMED.get(system, system))


def shorten(user_agent: str) -> str:
    """Return as much of a user agent as a column of a table has room for."""
    return f"{user_agent[:SHOWN]}…" if len(user_agent) > SHOWN else user_agent


def _first(names: dict[str, str], user_agent: str) -> str:
    return next((name for token, name in names.items() if token in user_agent), "")
