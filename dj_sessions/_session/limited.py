"""A session within the limits: no later end than they allow, and the marks that they need."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import floor
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from dj_sessions._session.dictionary import SessionDictionary
from dj_sessions._session.limits import (
    NO_MARKS,
    START,
    USED,
    USER_ID,
    Limits,
    Marks,
    marks_in,
    take_marks,
)
from dj_sessions.conf import conf, has_limits


class LimitedSession(SessionDictionary):
    """A session that ends after so long without use, and after so long in all."""

    #: Whether the limits do not count, as where the session's own expiry is asked for.
    _is_unlimited = False
    #: When it was last used (seconds since the epoch), where this request does not count as use.
    _kept_use: int | None = None
    #: Whether this request does not count as use.
    _is_passive = False
    #: Whether a save is the renewal of a session that nothing has changed.
    _only_renews = False

    def _limits(self) -> Limits | None:
        """Return the limits that the settings set; None if they set none."""
        if self._is_unlimited or not has_limits():
            return None
        limits = Limits(
            conf.SESSION_IDLE_AGE,
            conf.SESSION_ABSOLUTE_AGE,
            conf.SESSION_ANONYMOUS_AGE,
            conf.SESSION_RENEW_AFTER,
        )
        for name, age in limits._asdict().items():
            if age is not None and not isinstance(age, int | float):
                setting = "SESSION_RENEW_AFTER" if name == "renew_after" else f"SESSION_{name}_AGE"
                raise ImproperlyConfigured(
                    f"{setting.upper()} = {age!r} is not a number of seconds. Write one without "
                    "quotes, or None for no limit."
                )
        return limits

    def _limited_age(self, age: int, modification: datetime | None = None) -> int:
        """Return ``age``, or the seconds from ``modification``, now by default, to a limit."""
        left = self._seconds_left(modification or timezone.now())
        return age if left is None or age <= left else floor(left)

    def _limited_date(self, date: datetime, modification: datetime) -> datetime:
        """Return ``date``, or when a session that was changed at ``modification`` meets a limit."""
        left = self._seconds_left(modification)
        if left is None or not isinstance(date, datetime):  # an override may return an expression
            return date
        # As numbers: an override may return a time without a zone.
        if date.timestamp() <= modification.timestamp() + left:
            return date
        return modification + timedelta(seconds=left)

    def _seconds_left(self, modification: datetime) -> float | None:
        limits = self._limits()
        if limits is None:
            return None
        # Not loaded for this: who gives an expiry is promised that no data is read.
        data = getattr(self, "_session_cache", None)
        is_anonymous = data is not None and data.get(USER_ID) is None
        marks = Marks(self._marks.start, self._kept_use)
        return limits.left(marks, modification.timestamp(), is_anonymous=is_anonymous)

    def _last_use(self) -> int | None:
        """Return when the session was last used (seconds since the epoch), None if unknown."""
        return self._marks.last_use(self._saved_at())

    def _saved_at(self) -> int | None:
        """Return when what this session has was saved, None if that does not tell."""
        return None

    def _tells_when_saved(self) -> bool:
        """Return whether what is stored tells when it was saved."""
        return False

    def _keep_marks(self, data: dict[str, Any]) -> None:
        """Keep the marks of what was loaded, and leave the data alone in ``data``."""
        if START in data or USED in data:
            self._marks = take_marks(data)

    def _with_marks(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return what to store for ``data``: beside it, what the limits need."""
        if self._limits() is None:
            return data
        now = floor(timezone.now().timestamp())
        start = now if self._marks.start is None else self._marks.start
        # One of before the limits counts from this save on.
        keeps_use = self._is_passive and self._marks.start is not None
        used = self._kept_use = self._last_use() if keeps_use else None
        if used is None and not self._tells_when_saved():
            used = now
        self._marks = Marks(start, used)
        return self._marks.beside(data)

    def _is_past_limits(self, data: dict[str, Any], saved: int | None) -> bool:
        """Return whether a session, whose stored ``data`` was ``saved`` then, has met a limit.

        One that has no start is of before the limits.
        """
        limits = self._limits()
        if limits is None or (marks := marks_in(data)).start is None:
            return False
        used = marks.last_use(saved)
        # It was used in the course of that second.
        marks = Marks(marks.start, None if used is None else used + 1)
        is_anonymous = data.get(USER_ID) is None
        left = limits.left(marks, timezone.now().timestamp(), is_anonymous=is_anonymous)
        return left is not None and left <= 0

    def _is_renewed_by_others(self) -> bool:
        """Return whether others have saved meanwhile what this save is to renew."""
        if not self._only_renews or self._is_renewal_due():
            return False
        # Another task may have changed it since, and a site that saves all what is nested in it.
        return not (self.modified or conf.SESSION_SAVE_EVERY_REQUEST)

    def _is_renewal_due(self) -> bool:
        """Return whether the use of this session has to save it, though nothing has changed."""
        limits = self._limits()
        if limits is None or limits.renew_after is None or not self._session_key:
            return False
        if not hasattr(self, "_session_cache"):
            return False
        used = self._last_use()
        if used is None or self._marks.start is None:
            return True
        now = timezone.now().timestamp()
        if used > now:  # by a clock that was ahead, of this server or another one
            return used - now >= self._longest_wait(limits, now)
        return now - used >= limits.renew_after

    def _longest_wait(self, limits: Limits, now: float) -> float:
        """Return for how many seconds use need not renew a session: half of what its cookie lasts.

        Until a time that is further ahead, the browser may have dropped the cookie.
        """
        is_anonymous = self._session_cache.get(USER_ID) is None
        lasts = limits.left(NO_MARKS, now, is_anonymous=is_anonymous)
        return (conf.SESSION_COOKIE_AGE if lasts is None else lasts) / 2
