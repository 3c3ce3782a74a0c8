"""What the list holds about one user, for whoever asks what is stored about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from dj_sessions.user_sessions.models import UserSession

#: What is exported of a row: not the stored key, which would let its holder into the session.
FIELDS: Final = (
    *("public_id", "created", "last_seen", "expires", "ip_address", "user_agent", "engine"),
    *("ended", "reason"),
)


def export_sessions(user: Any) -> list[dict[str, Any]]:
    """Return what the list holds about ``user``, those that have ended too, the oldest first.

    Times are ISO texts, so that ``json.dumps()`` takes it as it is. Neither keys nor the data of
    sessions are in it.
    """
    from dj_sessions.user_sessions.models import UserSession

    return [
        exported(row) for row in UserSession.objects.filter(user=user).order_by("created", "pk")
    ]


def exported(row: UserSession) -> dict[str, Any]:
    """Return what one row holds."""
    return {name: _plain(getattr(row, name)) for name in FIELDS}


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
