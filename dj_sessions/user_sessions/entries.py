"""What the list is to have of a session, and of the request that saves it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from dj_sessions import _keys
from dj_sessions.registry import Save, current_request
from dj_sessions.user_sessions import privacy, table


@dataclass(frozen=True, slots=True)
class Entry:
    """A session as the list is to have it. ``client`` is of its request, empty without one."""

    user_id: Any
    public_id: str
    stored_key: str
    engine: str
    seen: datetime
    expires: datetime
    client: dict[str, Any]

    @classmethod
    def of(cls, save: Save, name: str) -> Entry | None:
        """Return the entry of a session that is stored under ``name``.

        None if its owner can be no user's id.
        """
        user_id = table.as_user_id(save.owner)
        if user_id is None:
            return None
        ends = save.expiry
        if not isinstance(ends, datetime):  # an override may return an expression
            ends = save.session.get_expiry_date()
        return cls(
            user_id=user_id,
            public_id=save.public_id,
            stored_key=name,
            engine=type(save.session).__module__,
            seen=timezone.now(),
            expires=ends,
            client=client_of(save.session),
        )

    @classmethod
    def in_use(cls, session: Any, key: str, user_id: Any) -> Entry:
        """Return the entry of a session as it is stored."""
        return cls(
            user_id=user_id,
            public_id=_keys.public_id(key),
            stored_key=session._storage.names_around_save(key)[0],
            engine=type(session).__module__,
            seen=timezone.now(),
            expires=session.get_expiry_date(),
            client=client_of(session),
        )

    def row(self, created: datetime | None = None) -> Any:
        """Return a row to insert."""
        return table.model()(
            user_id=self.user_id,
            public_id=self.public_id,
            created=created or self.seen,
            **self.changes(),
        )

    def changes(self) -> dict[str, Any]:
        """Return what a row that is there is to have instead."""
        return {
            "stored_key": self.stored_key,
            "engine": self.engine,
            "last_seen": self.seen,
            "expires": self.expires,
            **self.client,
        }


def client_of(session: Any) -> dict[str, Any]:
    """Return the address and the user agent of the present request, if ``session`` is its own."""
    request = current_request.get()
    if request is None or getattr(request, "session", None) is not session:
        return {}
    return {"ip_address": privacy.address_of(request), "user_agent": privacy.agent_of(request)}
