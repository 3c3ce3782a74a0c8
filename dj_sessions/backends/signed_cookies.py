"""Sessions that the client keeps: the session key is the data, signed.

https://docs.djangoproject.com/en/stable/topics/http/sessions/#using-cookie-based-sessions
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any, Final

from django.utils import timezone

from dj_sessions._codec import payloads, signed_text
from dj_sessions._session.modes import Mode
from dj_sessions._session.twins import operation
from dj_sessions.backends.base import SessionBase
from dj_sessions.conf import conf
from dj_sessions.storage.clearing import ForgottenPurge, Purge

__all__ = ["SessionBase", "SessionStore"]

SALT: Final = "django.contrib.sessions.backends.signed_cookies"

#: Bytes of name, value and attributes that browsers promise to keep (RFC 6265, section 6.1).
COOKIE_LIMIT: Final = 4096

logger = logging.getLogger("django.contrib.sessions")


class SessionStore(SessionBase):
    """A session without a store: nothing to look up, nothing to delete.

    So it can neither merge two requests' changes nor end a session of which somebody kept the
    cookie; only its expiry ends that. Anybody who has the cookie can read it.
    """

    #: Everything happens in memory.
    blocking = False

    def _validate_session_key(self, key: object) -> bool:
        return isinstance(key, str) and len(key) >= 8

    @operation
    async def load(self, mode: Mode) -> dict[str, Any]:
        """Return the data that the key holds; nothing if it is forged, corrupt or too old."""
        self.accessed = True
        text = self._session_key
        report = payloads.report_forgery
        data = payloads.decode(text, self.serializer, SALT, report=report) if text else None
        if text is None or data is None or await self._is_over(mode, text, data):
            self._session_key = None
            return {}
        return data

    async def _is_over(self, mode: Mode, text: str, data: dict[str, Any]) -> bool:
        signed = datetime.fromtimestamp(signed_text.signed_at(text), UTC if conf.USE_TZ else None)
        return timezone.now() > await self._end_of(mode, signed, data)

    def create(self) -> None:
        """Have the cookie set; there is nothing to reserve."""
        self.modified = True

    @operation
    async def save(self, mode: Mode, must_create: bool = False) -> None:
        """Put the data into the key, for the cookie that the response sets."""
        await mode(self._get_session, self._aget_session)
        self._session_key = self._get_session_key()
        self.modified = True
        if len(conf.SESSION_COOKIE_NAME) + len(self._session_key or "") > COOKIE_LIMIT:
            logger.warning(
                "The session is %d bytes long as a cookie; browsers drop cookies of more than %d. "
                "Keep less in it, or choose another SESSION_ENGINE.",
                len(self._session_key or ""),
                COOKIE_LIMIT,
            )

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
        return payloads.encode(self._session, self.serializer, SALT, signed)

    @classmethod
    def clear_expired(cls) -> None:
        """Do nothing: clients forget their cookies."""

    @classmethod
    def _start_purge(cls, now: datetime) -> Purge:
        return ForgottenPurge(lambda size: 0)
