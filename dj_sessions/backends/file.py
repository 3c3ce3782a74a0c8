"""Sessions as files in one directory.

https://docs.djangoproject.com/en/stable/topics/http/sessions/#using-file-based-sessions
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, ClassVar, Final

from django.core.exceptions import ImproperlyConfigured

from dj_sessions import _expiry, _keys
from dj_sessions._twins import Mode, driven, finish, in_sync
from dj_sessions.backends import _files
from dj_sessions.backends.base import CreateError, SessionBase, UpdateError
from dj_sessions.backends.stored import Record, StoredSession
from dj_sessions.conf import conf
from dj_sessions.exceptions import InvalidSessionKey

__all__ = ["CreateError", "SessionBase", "SessionStore", "UpdateError"]


logger = logging.getLogger("django.contrib.sessions")

#: Seconds after which a file that is being written has been abandoned.
ORPHAN_AGE: Final = 3600


@dataclass(frozen=True, slots=True)
class FileRecord(Record):
    """A record with its file's time of modification (epoch seconds)."""

    modified: float = 0.0


class SessionStore(StoredSession):
    """Sessions as signed text in files named ``<SESSION_COOKIE_NAME><session key>``.

    A session without a fixed end lives from its file's last modification.
    """

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
        key = self._get_or_create_session_key() if session_key is None else session_key
        if not self._validate_session_key(key):
            raise InvalidSessionKey("Invalid characters in session key")
        return os.path.join(self.storage_path, self.file_prefix + key)  # noqa: PTH118 # Django returns text

    def _path(self, key: str) -> Path:
        return Path(self._key_to_file(key))

    # The storage verbs

    def _read(self, key: str) -> Record | None:
        found = _files.read(self._path(key))
        return None if found is None else FileRecord(_text(found[0]), None, found[1])

    def _data(self, record: Record) -> dict[str, Any] | None:
        # A server on Django's own engine creates the file before it has the data: that is no
        # corruption, and says nothing about the data.
        return super()._data(record) if record.payload else None

    def _has_expired(self, record: Record, data: dict[str, Any]) -> bool:
        return finish(self._is_past_its_end(in_sync, record, data))

    async def _is_past_its_end(self, mode: Mode, record: Any, data: dict[str, Any]) -> bool:
        terms = {
            "modification": datetime.fromtimestamp(record.modified, UTC if conf.USE_TZ else None),
            "expiry": data.get(_expiry.KEY),
        }
        ends = await mode(self.get_expiry_date, self.aget_expiry_date, **terms)
        return await mode(self.get_expiry_age, self.aget_expiry_age, expiry=ends) <= 0

    _ahas_expired = driven(_has_expired, _is_past_its_end)

    def _insert(self, key: str, record: Record) -> bool:
        return _files.create(self._path(key), _bytes(record))

    def _replace(self, key: str, record: Record, expected: Record | None) -> bool:
        path = self._path(key)
        with _files.locked(path) as file:
            if file is None or not (expected is None or file.read() == _bytes(expected)):
                return False
            _files.replace(path, _bytes(record))
            return True

    def _remove(self, key: str) -> bool:
        return self._remove_if(key, lambda content: True)

    def _remove_if(self, key: str, condition: Callable[[IO[bytes]], bool]) -> bool:
        path = self._path(key)
        with _files.locked(path) as file:
            if file is None or not condition(file):
                return False
            path.unlink()
            return True

    def _holds(self, key: str) -> bool:
        return self._path(key).exists()

    # Clearing

    @classmethod
    def _purge(cls, now: datetime, batch: int) -> int:
        with os.scandir(cls._get_storage_path()) as entries:
            files = (entry for entry in entries if entry.is_file(follow_symlinks=False))
            return sum(cls._purge_file(Path(file.path), now) for file in files)

    @classmethod
    def _purge_file(cls, path: Path, now: datetime) -> bool:
        key, being_written = cls._parse(path.name)
        if key is None:
            return False
        if being_written:
            return _remove_orphan(path, now)
        store = cls(key)
        try:
            return store._remove_if(key, store._is_over)
        except PermissionError:  # another user's, in a directory for everybody
            logger.warning("Cannot tell whether a session file has expired: no permission")
            return False

    @classmethod
    def _parse(cls, name: str) -> tuple[str | None, bool]:
        """Return the key that a file is named after, and whether it is still being written.

        Another application's prefix may start with ours: only a key of the very length that
        this store makes is its own.
        """
        prefix = conf.SESSION_COOKIE_NAME
        key, temporary, end = name.removeprefix(prefix).partition(_files.TEMPORARY)
        right_length = cls._makes_own_keys() or len(key) == _keys.LENGTH
        if not (name.startswith(prefix) and right_length and cls(key)._session_key == key):
            return None, False
        return key, bool(temporary and end)

    def _is_over(self, file: IO[bytes]) -> bool:
        record = FileRecord(_text(file.read()), None, os.fstat(file.fileno()).st_mtime)
        return self._has_expired(record, self._data(record) or {})


def _remove_orphan(path: Path, now: datetime) -> bool:
    """Remove a file whose writer is gone."""
    try:
        if now.timestamp() - path.stat().st_mtime < ORPHAN_AGE:
            return False
        path.unlink()
    except FileNotFoundError:  # its writer is alive after all, and done
        return False
    return True


def _text(content: bytes) -> str:
    return content.decode("latin-1")  # text beyond ASCII has no valid signature


def _bytes(record: Record) -> bytes:
    payload: str = record.payload
    return payload.encode("latin-1")
