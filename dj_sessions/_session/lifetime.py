"""How long the session lasts."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta, tzinfo
from math import floor
from typing import Any, Self

from django.utils import timezone

from dj_sessions._moments import moment
from dj_sessions._session import expiry as rules
from dj_sessions._session.limited import LimitedSession
from dj_sessions._session.limits import Remaining
from dj_sessions._session.modes import Mode
from dj_sessions._session.twin_makers import after_load_in_thread
from dj_sessions._session.twins import operation_on_data, twin_of
from dj_sessions.conf import conf, has_limits


class SessionLifetime(LimitedSession):
    """The expiry methods; the session's own expiry is kept in its data.

    What they return never exceeds SESSION_IDLE_AGE, SESSION_ABSOLUTE_AGE and SESSION_ANONYMOUS_AGE.

    https://docs.djangoproject.com/en/stable/topics/http/sessions/#django.contrib.sessions.backends.base.SessionBase.set_expiry
    """

    # The async twins that the type stubs of Django do not know
    aget_remaining: Callable[[], Coroutine[Any, Any, Remaining]]
    _get_session: Callable[[], dict[str, Any]]
    _aget_session: Callable[[], Coroutine[Any, Any, dict[str, Any]]]

    def get_session_cookie_age(self) -> int:
        """Return the seconds that a session lasts by default: SESSION_COOKIE_AGE."""
        return conf.SESSION_COOKIE_AGE

    def get_expiry_age(self, **kwargs: Any) -> int:
        """Return the seconds until the session expires.

        ``modification`` (datetime) is when the session was last changed, by default now.
        ``expiry`` (int, datetime, ISO text or None) is used instead of the session's own expiry,
        which is then not read.
        """
        terms = self._expiry_terms(**kwargs)
        age = rules.age(*terms)
        return self._limited_age(age, terms[1]) if has_limits() else age

    @twin_of(get_expiry_age, after_load_in_thread)
    async def aget_expiry_age(self, **kwargs: Any) -> int:
        return SessionLifetime.get_expiry_age(self, **await self._with_expiry(kwargs))

    def get_expiry_date(self, **kwargs: Any) -> datetime:
        """Return when the session expires; takes the arguments of ``get_expiry_age()``."""
        terms = self._expiry_terms(**kwargs)
        date = rules.date(*terms)
        return self._limited_date(date, terms[1]) if has_limits() else date

    @twin_of(get_expiry_date, after_load_in_thread)
    async def aget_expiry_date(self, **kwargs: Any) -> datetime:
        return SessionLifetime.get_expiry_date(self, **await self._with_expiry(kwargs))

    def _expiry_terms(self, **given: Any) -> tuple[Any, datetime, int, tzinfo]:
        modification = given["modification"] if "modification" in given else timezone.now()
        expiry = given["expiry"] if "expiry" in given else self.get(rules.KEY)
        # Not asked in vain: an override may look at the data.
        default = 0 if isinstance(expiry, datetime) else self.get_session_cookie_age()
        # Not the current zone, which may be the visitor's: what has none was the server's time.
        return expiry, modification, default, timezone.get_default_timezone()

    async def _with_expiry(self, given: dict[str, Any]) -> dict[str, Any]:
        return given if "expiry" in given else {**given, "expiry": await self.aget(rules.KEY)}

    async def _end_of(self, mode: Mode, modified: datetime, data: dict[str, Any]) -> datetime:
        """Return when a session with ``data``, changed at ``modified``, ends by its own expiry."""
        # An override may look at the data, which is not there yet: to load it would never end.
        loaded = self._with_data(data)
        terms = {"modification": modified, "expiry": data.get(rules.KEY)}
        return await mode(loaded.get_expiry_date, loaded.aget_expiry_date, **terms)

    def _with_data(self, data: dict[str, Any]) -> Self:
        """Return this session as it is when ``data`` has been loaded, without limits."""
        other = object.__new__(type(self))
        vars(other).update(vars(self), _session_cache=data, _is_unlimited=True)
        return other

    @operation_on_data
    async def set_expiry(self, mode: Mode, value: datetime | timedelta | int | None) -> None:
        """Give this session an expiry of its own.

        An int is the seconds after its last change; 0 means until the browser closes. A datetime
        is a fixed time, and so is a timedelta, counted from now. None returns to the settings.
        Raises TypeError for another type, and ValueError for a time that is naive where the site's
        times are aware or the other way round, or that lies outside the calendar.
        """
        if value is None:
            await mode(self.pop, self.apop, rules.KEY, None)  # type: ignore[arg-type]
        else:
            stored = rules.stored_value(value, timezone.now())
            await mode(self.__setitem__, self.aset, rules.KEY, stored)

    @operation_on_data
    async def get_remaining(self, mode: Mode) -> Remaining:
        """Return how long this session lasts from now on; this does not renew it.

        ``Remaining`` has whole seconds: ``idle``, until it ends if nobody uses it, and
        ``absolute``, until it ends however busy it is. Each is None where there is no such end.
        """
        await mode(self._get_session, self._aget_session)
        if self.is_empty():
            return Remaining(None, None)
        now = timezone.now()
        used, saved = self._last_times(now)
        end = await mode(self.get_expiry_date, self.aget_expiry_date, modification=saved)
        if not isinstance(end, datetime):  # an override may return an expression
            end = rules.date(*self._expiry_terms(modification=saved))
        idle = _seconds_until(self._limited_date(end, used), now)
        return Remaining(idle, self._absolute_left(now))

    def _last_times(self, now: datetime) -> tuple[datetime, datetime]:
        """Return when the session was last used and last saved; ``now`` if nobody knows."""
        used, saved = self._last_use(), self._saved_at()
        if used is None or (has_limits() and self._marks.start is None):
            used = floor(now.timestamp())  # its next save is its first use that counts
        saved = used if saved is None else max(saved, used)
        return moment(used), moment(saved)

    def _absolute_left(self, now: datetime) -> int | None:
        """Return the seconds until the session ends however busy it is, None if it never does."""
        limits = self._limits()
        left = None if limits is None else limits.absolute_left(self._marks, now.timestamp())
        if not isinstance(self._session_cache.get(rules.KEY), str):
            return left
        fixed = _seconds_until(rules.date(*self._expiry_terms(modification=now)), now)
        return fixed if left is None else min(left, fixed)

    def get_expire_at_browser_close(self) -> bool:
        """Return whether the cookie lasts until the browser closes."""
        return self._ends_at_browser_close(self.get(rules.KEY))

    @twin_of(get_expire_at_browser_close, after_load_in_thread)
    async def aget_expire_at_browser_close(self) -> bool:
        return self._ends_at_browser_close(await self.aget(rules.KEY))

    def _ends_at_browser_close(self, expiry: rules.Expiry) -> bool:
        return rules.at_browser_close(expiry, conf.SESSION_EXPIRE_AT_BROWSER_CLOSE)


def _seconds_until(end: datetime, now: datetime) -> int:
    # As numbers: an override may return a time without a zone.
    return max(0, floor(end.timestamp() - now.timestamp()))
