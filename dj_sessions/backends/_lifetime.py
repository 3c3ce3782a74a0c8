"""How long the session lasts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from dj_sessions import _expiry
from dj_sessions._twins import Mode, driven_after_load, finish, in_sync
from dj_sessions.backends._dictionary import SessionDictionary
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
        return finish(self._compute_expiry_age(in_sync, **kwargs))

    async def _compute_expiry_age(self, mode: Mode, **kwargs: Any) -> int:
        return _expiry.age(*await self._expiry_terms(mode, **kwargs))

    def get_expiry_date(self, **kwargs: Any) -> datetime:
        """Return when the session expires; arguments as of ``get_expiry_age()``."""
        return finish(self._compute_expiry_date(in_sync, **kwargs))

    async def _compute_expiry_date(self, mode: Mode, **kwargs: Any) -> datetime:
        return _expiry.date(*await self._expiry_terms(mode, **kwargs))

    async def _end_of(self, mode: Mode, modified: float, data: dict[str, Any]) -> datetime:
        """Return when a session with ``data`` ends that was changed at ``modified`` (epoch)."""
        terms = {
            "modification": datetime.fromtimestamp(modified, UTC if conf.USE_TZ else None),
            "expiry": data.get(_expiry.KEY),
        }
        return await mode(self.get_expiry_date, self.aget_expiry_date, **terms)

    async def _expiry_terms(self, mode: Mode, **given: Any) -> tuple[Any, datetime, int]:
        modification = given["modification"] if "modification" in given else timezone.now()
        if "expiry" in given:
            expiry = given["expiry"]
        else:
            expiry = await mode(self.get, self.aget, _expiry.KEY)  # type: ignore[arg-type]
        return expiry, modification, self.get_session_cookie_age()

    def set_expiry(self, value: datetime | timedelta | int | None) -> None:
        """Give this session an expiry of its own.

        An int is seconds after its last change, 0 until the browser closes; a datetime or a
        timedelta is a fixed time; None returns to the settings. Raises TypeError for anything
        else, ValueError for a time that cannot be compared with the site's.
        """
        finish(self._set_expiry(in_sync, value))

    async def _set_expiry(self, mode: Mode, value: datetime | timedelta | int | None) -> None:
        if value is None:
            await mode(self.pop, self.apop, _expiry.KEY, None)  # type: ignore[arg-type]
        else:
            stored = _expiry.stored_value(value, timezone.now())
            await mode(self.__setitem__, self.aset, _expiry.KEY, stored)

    def get_expire_at_browser_close(self) -> bool:
        """Tell whether the cookie lasts until the browser closes."""
        return finish(self._expire_at_browser_close(in_sync))

    async def _expire_at_browser_close(self, mode: Mode) -> bool:
        expiry = await mode(self.get, self.aget, _expiry.KEY)  # type: ignore[arg-type]
        return _expiry.at_browser_close(expiry, conf.SESSION_EXPIRE_AT_BROWSER_CLOSE)

    if not TYPE_CHECKING:  # the type stubs of Django declare these
        aget_expiry_age = driven_after_load(get_expiry_age, _compute_expiry_age)
        aget_expiry_date = driven_after_load(get_expiry_date, _compute_expiry_date)
        aset_expiry = driven_after_load(set_expiry, _set_expiry)
        aget_expire_at_browser_close = driven_after_load(
            get_expire_at_browser_close, _expire_at_browser_close
        )
