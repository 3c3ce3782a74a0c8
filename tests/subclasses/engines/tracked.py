"""A store that writes the client into the data too, shaped as django-qsessions' is."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import SESSION_KEY

from dj_sessions.backends.db import SessionStore as DBStore


class SessionStore(DBStore):
    def __init__(
        self, session_key: str | None = None, user_agent: str | None = None, ip: str | None = None
    ) -> None:
        self.user_agent = user_agent
        self.ip = ip
        super().__init__(session_key)

    @classmethod
    def get_model_class(cls) -> Any:
        from tests.subclasses.models import TrackedSession

        return TrackedSession

    def load(self) -> dict[str, Any]:
        data = super().load()
        if (data.get("_user_agent"), data.get("_ip")) != (self.user_agent, self.ip):
            self.modified = True
        return data

    def save(self, must_create: bool = False) -> None:
        for name, value in (("_user_agent", self.user_agent), ("_ip", self.ip)):
            if name not in self or self[name] != value:
                self[name] = value
        super().save(must_create)

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        return self.model(
            session_key=self._get_or_create_session_key(),
            session_data=self.encode(data),
            expire_date=self.get_expiry_date(),
            user_id=self.get(SESSION_KEY),
            user_agent=self.user_agent,
            ip=self.ip,
        )
