"""How long a session may last at most: pure functions of its marks and of the time.

The marks are stored beside the data, under names of their own, as whole seconds since the epoch. A
session without a start is one of before the limits: it counts from its next save on.
"""

from __future__ import annotations

from math import floor
from typing import Any, Final, NamedTuple

#: Django's name for the user's id, which the session of a visitor has who is logged in.
USER_ID: Final = "_auth_user_id"

#: The names under which the marks are stored.
START: Final = "_dj_sessions_start"
USED: Final = "_dj_sessions_used"

#: Beyond each time that there is.
_FOREVER: Final = 2**53


class Marks(NamedTuple):
    """When a session started, and when it was last used; None if that is not known.

    It starts with its first save, and again with a login. The use is stored only where the record
    does not tell when it was saved, and by a save that does not count as use.
    """

    start: int | None = None
    used: int | None = None

    def last_use(self, saved: int | None) -> int | None:
        """Return when a session that was ``saved`` then was last used, None if nobody knows."""
        return saved if self.used is None else self.used

    def beside(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return what to store: ``data`` and the marks."""
        names = (START, self.start), (USED, self.used)
        return {**data, **{name: value for name, value in names if value is not None}}


NO_MARKS: Final = Marks()


def marks_in(data: dict[str, Any]) -> Marks:
    """Return the marks that are stored beside ``data``."""
    return Marks(_moment(data.get(START)), _moment(data.get(USED)))


def take_marks(data: dict[str, Any]) -> Marks:
    """Return the marks, and leave the data alone in ``data``."""
    marks = marks_in(data)
    for name, moment in zip((START, USED), marks, strict=True):
        if moment is not None:
            del data[name]
    return marks


def _moment(value: Any) -> int | None:
    # What is no mark of ours is a site's own, and stays with its data.
    return value if type(value) is int and 0 <= value < _FOREVER else None


class Remaining(NamedTuple):
    """How long a session will last, in whole seconds; None where there is no such end.

    ``idle`` is until it ends if nobody uses it, ``absolute`` until it ends however busy it is.
    """

    idle: int | None
    absolute: int | None


class Limits(NamedTuple):
    """The ages, in seconds, that a session cannot exceed; None for no limit.

    ``renew_after`` is how many seconds after a save the use of a session saves it again.
    """

    idle: int | None = None
    absolute: int | None = None
    anonymous: int | None = None
    renew_after: int | None = None

    def left(self, marks: Marks, now: float, *, is_anonymous: bool) -> float | None:
        """Return the seconds from ``now`` (since the epoch) until the earliest end; None: never.

        Where a mark is missing, it is ``now``.
        """
        unused = 0 if marks.used is None else now - marks.used
        ends = []
        if self.idle is not None:
            ends.append(self.idle - unused)
        if self.anonymous is not None and is_anonymous:
            ends.append(self.anonymous - unused)
        if self.absolute is not None:
            ends.append(self.absolute - (0 if marks.start is None else now - marks.start))
        return min(ends, default=None)

    def absolute_left(self, marks: Marks, now: float) -> int | None:
        """Return the whole seconds until the session is too old, None if it lasts."""
        alone = Limits(absolute=self.absolute).left(marks, now, is_anonymous=False)
        return None if alone is None else max(0, floor(alone))
