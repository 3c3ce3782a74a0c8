"""Cookies that Python, or a dictionary of cookies, cannot hold by themselves."""

from __future__ import annotations

from http.cookies import Morsel
from typing import Any, Final

#: Stands in a response's ``cookies`` between the name of a cookie and which of its places it is.
#: It fits a cookie's name, and nobody writes it into one.
ELSEWHERE: Final = "|elsewhere|"


class SessionMorsel(Morsel[str]):
    """A cookie that may be Partitioned, and one of several with the same name.

    Python knows Partitioned from 3.14 on, and Django does not know it. Other cookies are made of
    Python's own class, so nothing changes for them.

    ``HttpResponse.cookies`` holds one cookie for each key. One whose key has ``ELSEWHERE`` in it
    is sent under the name that stands before, and leaves alone the cookie that has the name as its
    key. A test client, which knows no domains and paths, keeps both apart as well.
    """

    _reserved: Any = Morsel._reserved | {"partitioned": "Partitioned"}  # type: ignore[attr-defined]
    _flags: Any = Morsel._flags | {"partitioned"}  # type: ignore[attr-defined]

    @classmethod
    def of(cls, cookie: Morsel[str], *, partitioned: bool) -> SessionMorsel:
        """Return a cookie of this class with the name, value and attributes of ``cookie``."""
        morsel = cls()
        morsel.set(cookie.key, cookie.value, cookie.coded_value)
        morsel.update({**cookie, "partitioned": partitioned})
        return morsel

    def OutputString(self, attrs: Any = None) -> str:
        """Return the value of the header ``Set-Cookie``."""
        text = super().OutputString(attrs)
        name, mark, _ = self.key.partition(ELSEWHERE)
        return name + text.removeprefix(self.key) if mark else text

    def copy(self) -> SessionMorsel:
        """Return a cookie of this class: Python's would leave Partitioned out."""
        return self.of(self, partitioned=bool(self["partitioned"]))
