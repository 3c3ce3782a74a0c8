"""How long the session lasts."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Any, Self

from django.utils import timezone

from dj_sessions._session import expiry as rules
from dj_sessions._session.dictionary import SessionDictionary
from dj_sessions._session.modes import Mode
from dj_sessions._session.twins import after_load_in_thread, operation_on_data, twin_of
from dj_sessions.conf import conf


class SessionLifetime(SessionDictionary):
    """The expiry methods; the session's own expiry is kept in its data.

    https://docs.djangoproject.com/en/stable/topics/http/sessions/#django.contrib.sessions.backends.base.SessionBase.set_expiry
    """

    def get_session_cookie_age(self) -> int:
        """Return the lifetime in seconds of a session that sets none: SESSION_COOKIE_AGE."""
        return conf.SESSION_COOKIE_AGE

    def get_expiry_age(self, **kwargs: Any) -> int:
        """Return the seconds until the session expires.

        ``modification`` (datetime) is when it was last changed, now by default; ``expiry`` (int,
        datetime, ISO text or None) stands for its own expiry, which is then not read.
        """
        return rules.age(*self._expiry_terms(**kwargs))

    @twin_of(get_expiry_age, after_load_in_thread)
    async def aget_expiry_age(self, **kwargs: Any) -> int:
        return SessionLifetime.get_expiry_age(self, **await self._with_expiry(kwargs))

    def get_expiry_date(self, **kwargs: Any) -> datetime:
        """Return when the session expires; arguments as of ``get_expiry_age()``."""
        return rules.date(*self._expiry_terms(**kwargs))

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
        """Return when a session with ``data`` ends that was changed at ``modified``."""
        # An override may look at the data, which is not there yet: to load it would never end.
        loaded = self._with_data(data)
        terms = {"modification": modified, "expiry": data.get(rules.KEY)}
        return await mode(loaded.get_expiry_date, loaded.aget_expiry_date, **terms)

    def _with_data(self, data: dict[str, Any]) -> Self:
        """Return this session as it is when ``data`` has been loaded."""
        other = object.__new__(type(self))
        vars(other).update(vars(self), _session_cache=data)
        return other

    @operation_on_data
    async def set_expiry(self, mode: Mode, value: datetime | timedelta | int | None) -> None:
        """Give this session an expiry of its own.

        An int is seconds after its last change, 0 until the browser closes; a datetime or a
        timedelta is a fixed time; None returns to the settings. Raises TypeError for anything
        else, ValueError for a time that cannot be compared with the site's.
        """
        if value is None:
            await mode(self.pop, self.apop, rules.KEY, None)  # type: ignore[arg-type]
        else:
            stored = rules.stored_value(value, timezone.now())
            await mode(self.__setitem__, self.aset, rules.KEY, stored)

    def get_expire_at_browser_close(self) -> bool:
        """Return whether the cookie lasts until the browser closes."""
        return self._ends_at_browser_close(self.get(rules.KEY))

    @twin_of(get_expire_at_browser_close, after_load_in_thread)
    async def aget_expire_at_browser_close(self) -> bool:
        return self._ends_at_browser_close(await self.aget(rules.KEY))

    def _ends_at_browser_close(self, expiry: rules.Expiry) -> bool:
        return rules.at_browser_close(expiry, conf.SESSION_EXPIRE_AT_BROWSER_CLOSE)
