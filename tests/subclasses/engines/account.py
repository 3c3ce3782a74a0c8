"""Django's documented example of extending the database engine."""

from __future__ import annotations

from typing import Any

from dj_sessions.backends.db import SessionStore as DBStore

AGE = 600


class SessionStore(DBStore):
    @classmethod
    def get_model_class(cls) -> Any:
        from tests.subclasses.models import AccountSession

        return AccountSession

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        row = super().create_model_instance(data)
        row.account_id = int(data["_auth_user_id"]) if "_auth_user_id" in data else None
        return row

    def get_session_cookie_age(self) -> int:
        return AGE
