"""Every setting that this app reads, on each access, so that changed settings take effect."""

# What a site's settings hold is the site's: the checks look at it, not the types.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from typing import Any, Final, Literal

from django.conf import settings

#: What the settings are where a site leaves them out.
DEFAULTS: Final[dict[str, Any]] = {
    "SESSION_SEEN_AFTER": 300,
    "SESSION_HISTORY_DAYS": 0,
    "SESSION_LIMIT_PER_USER": None,
    "SESSION_LIMIT_ACTION": "end-oldest",
    "SESSION_END_ON": ("password-change", "deactivation", "deletion"),
    "SESSION_REAUTH_AGE": None,
    "SESSION_DEVICES_BASE_TEMPLATE": "dj_user_sessions/base.html",
    "SESSION_PLACE_OF_ADDRESS": None,
}


def _ours(name: str) -> Any:
    return getattr(settings, name, DEFAULTS[name])


class UserSessionSettings:
    """Typed view of the settings of ``dj_sessions.user_sessions``."""

    @property
    def SESSION_SEEN_AFTER(self) -> int | float:
        """Seconds after which a session's use is noted in the list again; 300 by default."""
        return _ours("SESSION_SEEN_AFTER")

    @property
    def SESSION_HISTORY_DAYS(self) -> int | float:
        """Days for which the list keeps sessions that have ended; 0 by default: none."""
        return _ours("SESSION_HISTORY_DAYS")

    @property
    def SESSION_LIMIT_PER_USER(self) -> int | str | None:
        """How many sessions a user may have, or the dotted path of ``f(user)``; None: any."""
        return _ours("SESSION_LIMIT_PER_USER")

    @property
    def SESSION_LIMIT_ACTION(self) -> Literal["end-oldest", "refuse"]:
        """What a login beyond the limit does; "end-oldest" by default."""
        return _ours("SESSION_LIMIT_ACTION")

    @property
    def SESSION_END_ON(self) -> list[str] | tuple[str, ...]:
        """On which changes of a user sessions end.

        Of "password-change", "deactivation" and "deletion", the default, and "permissions".
        """
        return _ours("SESSION_END_ON")

    @property
    def SESSION_REAUTH_AGE(self) -> int | float | None:
        """Seconds for which a login is recent; None, the default, for as long as it lasts."""
        return _ours("SESSION_REAUTH_AGE")

    @property
    def SESSION_DEVICES_BASE_TEMPLATE(self) -> str:
        """The template that the page of devices extends, with the blocks title and content."""
        return _ours("SESSION_DEVICES_BASE_TEMPLATE")

    @property
    def SESSION_PLACE_OF_ADDRESS(self) -> str | None:
        """Dotted path of ``f(ip)``, where an address is, in words; None, the default: not said."""
        return _ours("SESSION_PLACE_OF_ADDRESS")


conf: Final = UserSessionSettings()
