"""Sessions as files in one directory.

https://docs.djangoproject.com/en/stable/topics/http/sessions/#using-file-based-sessions
"""

from __future__ import annotations

import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation

from dj_sessions import _keys
from dj_sessions._keys import VALID_KEY_CHARS
from dj_sessions._session.modes import Mode, finish, in_sync
from dj_sessions.backends.base import CreateError, SessionBase, UpdateError
from dj_sessions.backends.stored import StoredSession
from dj_sessions.conf import conf
from dj_sessions.exceptions import InvalidSessionKey
from dj_sessions.storage import Record, Storage
from dj_sessions.storage.files.storage import FileStorage

__all__ = [
    "VALID_KEY_CHARS",
    "CreateError",
    "InvalidSessionKey",
    "SessionBase",
    "SessionStore",
    "SuspiciousOperation",
    "UpdateError",
]


class SessionStore(StoredSession):
    """Sessions as signed text in files named ``<SESSION_COOKIE_NAME><session key>``.

    A session without a fixed end lives from its file's last modification.
    """

    engine_name = "file"
    _storage_path: ClassVar[str | os.PathLike[str]]

    def __init__(self, session_key: str | None = None) -> None:
        self.storage_path = self._get_storage_path()
        self.file_prefix = conf.SESSION_COOKIE_NAME
        super().__init__(session_key)

    @classmethod
    def _get_storage_path(cls) -> str | os.PathLike[str]:
        """Return SESSION_FILE_PATH; raises ImproperlyConfigured if it is no directory.

        The last directory seen is remembered, so that not every session looks again.
        """
        path = conf.SESSION_FILE_PATH or tempfile.gettempdir()
        if path != getattr(cls, "_storage_path", None):
            if not Path(path).is_dir():
                raise ImproperlyConfigured(
                    f"The session storage path {str(path)!r} is not a directory. Create it, or "
                    "set SESSION_FILE_PATH to an existing directory that the server may write to."
                )
            cls._storage_path = path
        return path

    def _key_to_file(self, session_key: str | None = None) -> str:
        """Return the path of a session's file; raises InvalidSessionKey for an impossible key."""
        key = session_key
        if key is None:
            key = self._name_of(self._get_or_create_session_key())
        if not (_keys.is_hashed(key) or self._validate_session_key(key)):
            raise InvalidSessionKey("Invalid characters in session key")
        return os.path.join(self.storage_path, self.file_prefix + key)  # noqa: PTH118 # Django returns text

    def get_storage(self) -> Storage:
        """Return the files of the directory."""
        return FileStorage(self.storage_path, self._key_to_file, self._key_in, self._is_file_over)

    def _key_in(self, name: str) -> str | None:
        """Return the key that a file is named after, None for a file of somebody else.

        Another application's prefix may start with ours: only a key of the very length that
        this store makes is its own.
        """
        key = name.removeprefix(self.file_prefix)
        if not name.startswith(self.file_prefix):
            return None
        if _keys.is_hashed(key):
            return key
        if not self._validate_session_key(key):
            return None
        return key if len(key) == _keys.LENGTH or self._makes_own_keys() else None

    def _is_file_over(self, key: str, record: Record) -> bool:
        session = self._under(key)
        return finish(session._is_over(in_sync, record, session._decoded(record) or {}))

    async def _has_expired(self, mode: Mode, modified: datetime, data: dict[str, Any]) -> bool:
        ends = await self._end_of(mode, modified, data)
        # An override may say how long there is left: Django's engine asks for that.
        return await mode(self.get_expiry_age, self.aget_expiry_age, expiry=ends) <= 0

    def _place(self) -> str:
        path = os.fspath(self.storage_path)
        key = self._session_key
        shown = _keys.shorten(key and self._name_of(key))
        return f" (the file of session {shown} in {path!r})"

    def _decoded(self, record: Record) -> dict[str, Any] | None:
        # A server on Django's own engine creates the file before it has the data: that is no
        # corruption, and says nothing about the data.
        return super()._decoded(record) if record.payload else None

    async def _make_record(self, mode: Mode, data: dict[str, Any]) -> Record:
        return Record(self.encode(data))
