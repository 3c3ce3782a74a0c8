"""An engine written straight on SessionBase: sync, in a dictionary."""

from __future__ import annotations

from typing import Any, ClassVar

from dj_sessions.backends.base import CreateError, SessionBase, UpdateError


class SessionStore(SessionBase):
    records: ClassVar[dict[str, str]] = {}

    def exists(self, session_key: str | None) -> bool:
        return session_key in self.records

    def create(self) -> None:
        self._session_key = self._get_new_session_key()
        self.save(must_create=True)
        self.modified = True

    def save(self, must_create: bool = False) -> None:
        key = self.session_key
        if key is None:
            self.create()
            return
        data = self._get_session(no_load=must_create)
        if must_create and self.exists(key):
            raise CreateError
        if not must_create and not self.exists(key):
            raise UpdateError
        self.records[key] = self.encode(data)

    def delete(self, session_key: str | None = None) -> None:
        self.records.pop(session_key or self.session_key, None)

    def load(self) -> dict[str, Any]:
        if not self.exists(self.session_key):
            self._session_key = None
            return {}
        return self.decode(self.records[self.session_key])

    @classmethod
    def clear_expired(cls) -> None:
        cls.records.clear()
