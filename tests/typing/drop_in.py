"""Code as sites have it, annotated for Django's own classes; only the import root was changed.

`tests/test_typing.py` checks it with Django's import root too: it is fair, and what passes there
passes here.
"""

from datetime import datetime
from typing import Any

from django.db import models
from django.http import HttpRequest, HttpResponse

from dj_sessions.backends.base import CreateError, SessionBase, UpdateError
from dj_sessions.backends.cache import SessionStore as CacheStore
from dj_sessions.backends.cached_db import SessionStore as CachedDBStore
from dj_sessions.backends.db import SessionStore as DBStore
from dj_sessions.backends.file import SessionStore as FileStore
from dj_sessions.base_session import AbstractBaseSession, BaseSessionManager
from dj_sessions.middleware import SessionMiddleware
from dj_sessions.models import Session


class AccountManager(BaseSessionManager["AccountSession"]):
    def encode(self, session_dict: dict[str, Any]) -> str:
        return super().encode(session_dict)

    def save(
        self, session_key: str, session_dict: dict[str, Any], expire_date: datetime
    ) -> "AccountSession":
        return super().save(session_key, session_dict, expire_date)

    def of(self, account_id: int) -> "models.QuerySet[AccountSession]":
        return self.filter(account_id=account_id)


class AccountSession(AbstractBaseSession):
    account_id = models.IntegerField(null=True, db_index=True)

    objects = AccountManager()

    class Meta(AbstractBaseSession.Meta):
        app_label = "accounts"

    @classmethod
    def get_session_store_class(cls) -> "type[AccountStore]":
        return AccountStore


class AccountStore(DBStore):
    @classmethod
    def get_model_class(cls) -> type[AccountSession]:
        return AccountSession

    def create_model_instance(self, data: dict[str, Any]) -> AbstractBaseSession:
        row = super().create_model_instance(data)
        assert isinstance(row, AccountSession)
        row.account_id = int(data.get("_auth_user_id", 0))
        return row


class PrefixedStore(CachedDBStore):
    cache_key_prefix = "shop.sessions."


class VersionedStore(CacheStore):
    @property
    def cache_key(self) -> str:
        return f"2.{super().cache_key}"

    async def acache_key(self) -> str:
        return f"2.{await super().acache_key()}"


class LoggingStore(FileStore):
    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self.log: list[str] = []

    def exists(self, session_key: str) -> bool:
        return super().exists(session_key)

    def create(self) -> None:
        super().create()

    def save(self, must_create: bool = False) -> None:
        super().save(must_create)
        self.log.append(self.session_key or "")

    def delete(self, session_key: str | None = None) -> None:
        super().delete(session_key)

    def load(self) -> dict[str, Any]:
        return super().load()

    def encode(self, session_dict: dict[str, Any]) -> str:
        return super().encode(session_dict)

    def decode(self, session_data: bytes | str) -> dict[str, Any]:
        return super().decode(session_data)

    def cycle_key(self) -> None:
        super().cycle_key()

    def get_session_cookie_age(self) -> int:
        return 60

    @property
    def key_salt(self) -> str:
        return f"shop.{super().key_salt}"

    @classmethod
    def clear_expired(cls) -> None:
        super().clear_expired()

    async def aexists(self, session_key: str) -> bool:
        return await super().aexists(session_key)

    async def asave(self, must_create: bool = False) -> None:
        await super().asave(must_create)

    async def aload(self) -> dict[str, Any]:
        return await super().aload()

    async def adelete(self, session_key: str | None = None) -> None:
        await super().adelete(session_key)


class MemoryStore(SessionBase):
    records: dict[str, str] = {}

    def exists(self, session_key: str) -> bool:
        return session_key in self.records

    def create(self) -> None:
        self.save(must_create=True)

    def save(self, must_create: bool = False) -> None:
        key = self.session_key or ""
        if must_create and key in self.records:
            raise CreateError
        if not must_create and key not in self.records:
            raise UpdateError
        self.records[key] = self.encode(dict(self))

    def delete(self, session_key: str | None = None) -> None:
        self.records.pop(session_key or self.session_key or "", None)

    def load(self) -> dict[str, Any]:
        return self.decode(self.records[self.session_key or ""])


class Middleware(SessionMiddleware):
    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.session["seen"] = True

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response = super().process_response(request, response)
        response["X-Session"] = "yes"
        return response


def log_out_everywhere(account_id: int) -> None:
    for row in AccountSession.objects.of(account_id):
        row.get_decoded()
        row.delete()
    for session in Session.objects.filter(expire_date__gt=datetime.now()):
        if session.get_decoded().get("_auth_user_id") == str(account_id):
            session.delete()


def use(session: SessionBase) -> dict[str, Any]:
    session["colour"] = "green"
    session.pop("colour", None)
    session |= {"colour": "green"}
    return {**session, **dict(session.items())}
