"""A store that knows the client, shaped as django-user-sessions' is."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import SESSION_KEY

from dj_sessions.backends.db import SessionStore as DBStore


class SessionStore(DBStore):
    def __init__(
        self, session_key: str | None = None, user_agent: str | None = None, ip: str | None = None
    ) -> None:
        super().__init__(session_key)
        self.user_agent = user_agent[:200] if user_agent else user_agent
        self.ip = ip
        self.user_id: Any = None

    @classmethod
    def get_model_class(cls) -> Any:
        from tests.subclasses.models import DeviceSession

        return DeviceSession

    def __setitem__(self, key: str, value: Any) -> None:
        if key == SESSION_KEY:
            self.user_id = value
        super().__setitem__(key, value)

    def _get_session_from_db(self) -> Any:
        row = super()._get_session_from_db()
        if row is not None:
            self.user_id = row.user_id
            if (row.user_agent, row.ip) != (self.user_agent, self.ip):
                self.modified = True
        return row

    def create(self) -> None:
        super().create()
        self._session_cache = {}

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        return self.model(
            session_key=self._get_or_create_session_key(),
            session_data=self.encode(data),
            expire_date=self.get_expiry_date(),
            user_id=self.user_id,
            user_agent=self.user_agent,
            ip=self.ip,
        )

    def clear(self) -> None:
        super().clear()
        self.user_id = None
