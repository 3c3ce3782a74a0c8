"""A session with an account, as Django's documentation extends the database engine."""

from typing import Any, assert_type

from django.db import models

from dj_sessions.backends.db import SessionStore as DBStore
from dj_sessions.base_session import AbstractBaseSession
from dj_sessions.models import Session


class AccountSession(AbstractBaseSession):
    account_id = models.IntegerField(null=True, db_index=True)

    class Meta(AbstractBaseSession.Meta):
        app_label = "shop"

    @classmethod
    def get_session_store_class(cls) -> type["SessionStore"]:
        return SessionStore


class SessionStore(DBStore):
    @classmethod
    def get_model_class(cls) -> type[AccountSession]:
        return AccountSession

    def create_model_instance(self, data: dict[str, Any]) -> AccountSession:
        session: AccountSession = super().create_model_instance(data)
        try:
            session.account_id = int(data["_auth_user_id"])
        except (KeyError, ValueError):
            session.account_id = None
        return session


def rows() -> None:
    row = AccountSession("abcdefgh")
    assert_type(row.session_key, str)
    assert_type(row.account_id, int | None)
    assert_type(row.get_decoded(), dict[str, Any])
    for session in Session.objects.filter(expire_date__year=2031):
        assert_type(session, Session)
        assert_type(session.get_decoded(), dict[str, Any])
    assert_type(str(row), str)
