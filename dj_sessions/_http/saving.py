"""Saving the session when the response is there; it may be a session of anybody's.

Only the method that fits the mode is looked up: a session may have no other.
"""

from __future__ import annotations

import logging
from typing import Any

from dj_sessions._http.asking import is_limited
from dj_sessions._session.modes import Mode, in_sync
from dj_sessions.exceptions import SessionInterrupted, UpdateError

logger = logging.getLogger("django.contrib.sessions")


async def save(mode: Mode, session: Any) -> bool | None:
    """Save the session; return whether it was saved, None if there is none to renew.

    Raises SessionInterrupted if it was deleted while it was changed here.
    """
    if limited := is_limited(session):
        session._only_renews = not session.modified and session._is_renewal_due()
    try:
        session.save() if mode is in_sync else await session.asave()
    except UpdateError as error:
        if not session.modified:
            return None
        raise SessionInterrupted(
            "The request's session was deleted before the request completed. The user may "
            "have logged out in a concurrent request, for example."
        ) from error
    except Exception as error:
        if session.modified or not limited:
            raise
        # The page needs no renewal, and the next request tries again.
        logger.warning("A session could not be renewed: %s", type(error).__name__)
        return False
    finally:
        if limited:  # the body of the response may go on and save
            session._only_renews = False
    return True


async def cookie_age(mode: Mode, session: Any) -> int | None:
    """Return for how many seconds the cookie lasts; None: until the browser closes."""
    if await lasts_until_close(mode, session):
        return None
    age: int = session.get_expiry_age() if mode is in_sync else await session.aget_expiry_age()
    return session._limited_age(age) if is_limited(session) else age


async def lasts_until_close(mode: Mode, session: Any) -> bool:
    """Return whether the cookie lasts until the browser closes; the session is loaded for that."""
    if mode is in_sync:
        return bool(session.get_expire_at_browser_close())
    return bool(await session.aget_expire_at_browser_close())
