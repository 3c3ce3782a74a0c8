"""Sessions that the client keeps: the session key is the data, signed.

https://docs.djangoproject.com/en/stable/topics/http/sessions/#using-cookie-based-sessions
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any, Final

from django.utils import timezone

from dj_sessions._codec import payloads, signed_text, sizes
from dj_sessions._metrics.recording import recorders
from dj_sessions._moments import moment
from dj_sessions._session.counting import count_save
from dj_sessions._session.modes import Mode
from dj_sessions._session.twins import operation
from dj_sessions.backends.base import SessionBase
from dj_sessions.conf import conf
from dj_sessions.exceptions import SessionTooLarge
from dj_sessions.storage.clearing import ForgottenPurge, Purge

__all__ = ["SessionBase", "SessionStore"]

SALT: Final = "django.contrib.sessions.backends.signed_cookies"

#: Bytes of name and value together that browsers keep.
COOKIE_LIMIT: Final = 4096

logger = logging.getLogger("django.contrib.sessions")


class SessionStore(SessionBase):
    """A session without a store: nothing to look up, nothing to delete.

    So it can neither merge two requests' changes nor end a session of which somebody kept the
    cookie; only its expiry ends that. Anybody who has the cookie can read it.
    """

    engine_name = "signed_cookies"
    #: Everything happens in memory.
    blocking = False

    def _validate_session_key(self, key: object) -> bool:
        return isinstance(key, str) and len(key) >= 8

    @operation
    async def load(self, mode: Mode) -> dict[str, Any]:
        """Return the data that the key holds; nothing if it is forged, corrupt or too old."""
        self.accessed = True
        text = self._session_key
        report = self._report_corruption
        serializer, engine = self.serializer, self.engine_name
        data = None
        if text:
            data = payloads.decode(text, serializer, SALT, report=report, engine=engine)
        if text is None or data is None or await self._is_over(mode, text, data):
            self._session_key = None
            return {}
        self._keep_marks(data)
        return data

    def _report_corruption(self, reason: str) -> None:
        payloads.report_forgery(reason, self._session_key)

    async def _is_over(self, mode: Mode, text: str, data: dict[str, Any]) -> bool:
        saved = signed_text.signed_at(text)
        if self._is_past_limits(data, saved):
            return True
        return timezone.now() > await self._end_of(mode, moment(saved), data)

    def _saved_at(self) -> int | None:
        text = self._session_key
        return None if text is None else signed_text.signed_at(text)

    def _tells_when_saved(self) -> bool:
        return True

    def create(self) -> None:
        """Have the cookie set; there is nothing to reserve."""
        self.modified = True

    @operation
    async def save(self, mode: Mode, must_create: bool = False) -> None:
        """Put the data into the key, for the cookie that the response sets.

        Raises SessionTooLarge if browsers would drop that cookie, and then changes nothing.
        """
        await mode(self._get_session, self._aget_session)
        text = self._get_session_key()
        size = len(conf.SESSION_COOKIE_NAME) + len(text)
        if size > COOKIE_LIMIT:
            dumps = payloads.dumps_of(self.serializer, self.engine_name, SALT)
            largest = sizes.largest_keys(self._session, dumps)
            error = SessionTooLarge(size, COOKIE_LIMIT, largest)
            if conf.SESSION_COOKIE_TOO_LARGE != "warning":
                del text  # a report of the error shows the variables, and this is a key
                raise error
            logger.warning("%s", error)
        self._session_key = text
        self.modified = True
        if recorders:
            count_save(self, "changed", text)

    def refresh(self) -> None:
        """Read the cookie, unless it has been read: others' cookies are in other browsers."""
        self._get_session()

    def exists(self, session_key: str | None = None) -> bool:
        """Return False: no store could tell."""
        return False

    def delete(self, session_key: str | None = None) -> None:
        """Drop key and data, so that the response deletes the cookie."""
        self._session_key = None
        self._session_cache = {}
        self.modified = True

    def cycle_key(self) -> None:
        """Sign the data anew; the old cookie stays valid until it expires."""
        self.save()

    def _get_session_key(self) -> str:
        signed = timezone.now().timestamp()
        data = self._with_marks(self._session)
        return payloads.encode(data, self.serializer, SALT, signed, self.engine_name)

    @classmethod
    def clear_expired(cls) -> None:
        """Do nothing: clients forget their cookies."""

    @classmethod
    def _start_purge(cls, now: datetime) -> Purge:
        return ForgottenPurge(lambda size: 0)
