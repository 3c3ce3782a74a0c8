"""The same before the switch: Django's store, and both twins, as its async path needs them."""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.backends.db import SessionStore as DBStore

AGE = 600


class SessionStore(DBStore):
    @classmethod
    def get_model_class(cls) -> Any:
        from tests.subclasses.models import StockAccountSession

        return StockAccountSession

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        return self._with_account(super().create_model_instance(data), data)

    async def acreate_model_instance(self, data: dict[str, Any]) -> Any:
        return self._with_account(await super().acreate_model_instance(data), data)

    @staticmethod
    def _with_account(row: Any, data: dict[str, Any]) -> Any:
        row.account_id = int(data["_auth_user_id"]) if "_auth_user_id" in data else None
        return row

    def get_session_cookie_age(self) -> int:
        return AGE
