"""Sessions as files in one directory.

https://docs.djangoproject.com/en/stable/topics/http/sessions/#using-file-based-sessions
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.utils import timezone

from dj_sessions._codec import payloads
from dj_sessions._session import keys
from dj_sessions._session.keys import VALID_KEY_CHARS
from dj_sessions._session.modes import Mode, finish, in_sync
from dj_sessions._session.twins import driven
from dj_sessions.backends.base import CreateError, SessionBase, UpdateError
from dj_sessions.backends.stored import Record, StoredSession
from dj_sessions.conf import conf
from dj_sessions.exceptions import InvalidSessionKey
from dj_sessions.storage.clearing import Purge
from dj_sessions.storage.files import whole_files
from dj_sessions.storage.files.clearing import FilePurge

__all__ = [
    "VALID_KEY_CHARS",
    "CreateError",
    "InvalidSessionKey",
    "SessionBase",
    "SessionStore",
    "SuspiciousOperation",
    "UpdateError",
]


logger = logging.getLogger("django.contrib.sessions")

#: What follows the name of a session's file in that of a forward: who clears finds it abandoned.
LEAD: Final = f"{whole_files.TEMPORARY}moved"

#: Seconds after which a file that is being written has been abandoned.
ORPHAN_AGE: Final = 3600


@dataclass(frozen=True, slots=True)
class FileRecord(Record):
    """A record with its file's time of modification (epoch seconds)."""

    seconds: float = 0.0


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

    # The storage verbs

    def _read(self, key: str) -> Record | None:
        path = self._key_to_file(key)
        found = whole_files.read(path)
        if found is not None:
            return FileRecord(_text(found[0]), seconds=found[1])
        if whole_files.is_in_the_way(path):
            payloads.report_corruption(f"it is no regular file{self._place()}")
        lead = whole_files.read(path + LEAD)
        return None if lead is None else FileRecord(_text(lead[0]), seconds=lead[1])

    def _place(self) -> str:
        path = os.fspath(self.storage_path)
        return f" (the file of session {keys.shorten(self._session_key)} in {path!r})"

    def _data(self, record: Record) -> dict[str, Any] | None:
        # A server on Django's own engine creates the file before it has the data: that is no
        # corruption, and says nothing about the data.
        return super()._data(record) if record.payload else None

    def _has_expired(self, record: Record, data: dict[str, Any]) -> bool:
        return finish(self._is_past_its_end(in_sync, record, data))

    async def _is_past_its_end(self, mode: Mode, record: Any, data: dict[str, Any]) -> bool:
        usual = self._usual_end(record.seconds, data)
        if usual is not None:
            return usual - timezone.now().timestamp() < 1  # as whole seconds, none is left
        ends = await self._end_of(mode, record.seconds, data)
        return await mode(self.get_expiry_age, self.aget_expiry_age, expiry=ends) <= 0

    _ahas_expired = driven(_has_expired, _is_past_its_end)

    def _insert(self, key: str, record: Record) -> bool:
        return whole_files.create(
            self._key_to_file(key), _bytes(record), durable=conf.SESSION_FILE_FSYNC
        )

    def _replace(self, key: str, record: Record, expected: Record | None) -> bool:
        path = self._key_to_file(key)
        with whole_files.locked(path) as file:
            if file is None or not self._is_replaceable(file, expected):
                return False
            whole_files.replace(path, _bytes(record), durable=conf.SESSION_FILE_FSYNC)
            return True

    def _is_replaceable(self, file: int, expected: Record | None) -> bool:
        if expected is None:  # what has expired is not brought back
            return not self._is_over(file)
        content, _ = whole_files.read_open(file)
        return content == _bytes(expected)

    def _remove(self, key: str) -> bool:
        return self._remove_if(key, lambda file: True)

    def _take(self, key: str, expected: Record | None) -> bool:
        if expected is None:
            return self._remove(key)
        return self._remove_if(key, lambda file: self._is_replaceable(file, expected))

    def _move(self, key: str, expected: Record | None, forward: str) -> bool:
        path = self._key_to_file(key)
        with whole_files.locked(path) as file:
            if file is None or not self._is_replaceable(file, expected):
                return False
            # First, and for a minute: there is no need to wait for the disk.
            whole_files.replace(path + LEAD, forward.encode())
            whole_files.remove(path, durable=conf.SESSION_FILE_FSYNC)
            return True

    def _remove_if(self, key: str, condition: Callable[[int], bool]) -> bool:
        path = self._key_to_file(key)
        with whole_files.locked(path) as file:
            if file is None or not condition(file):
                return False
            whole_files.remove(path, durable=conf.SESSION_FILE_FSYNC)
            return True

    def _holds(self, key: str) -> bool:
        return whole_files.exists(self._key_to_file(key))

    # Clearing

    @classmethod
    def _purge(cls, now: datetime, batch: int) -> int:
        return sum(done.removed for done in cls._start_purge(now).batches(batch, limit=batch))

    @classmethod
    def _start_purge(cls, now: datetime) -> Purge:
        return FilePurge(cls._get_storage_path(), partial(cls._purge_file, now))

    @classmethod
    def _purge_file(cls, now: datetime, file: os.DirEntry[str], remove: bool) -> bool:
        """Tell whether a file is ours and over, and unless it is only to be told, remove it."""
        store, being_written = cls._parse(file.name)
        if store is None:
            return False
        try:
            age = now.timestamp() - file.stat(follow_symlinks=False).st_mtime
            if being_written:
                return age >= ORPHAN_AGE and (not remove or _unlinked(file))
            # Saved since: then it had not expired, and need not be read.
            return age >= 0 and store._ends_if_over(remove)
        except FileNotFoundError:
            if not Path(file.path).parent.is_dir():
                raise
            return False  # others were faster
        except PermissionError:  # another user's, in a directory for everybody
            logger.warning("Cannot tell whether a session file has expired: no permission")
            return False

    def _ends_if_over(self, remove: bool) -> bool:
        key: str = self._session_key
        if remove:
            return self._remove_if(key, self._is_over)
        with whole_files.locked(self._key_to_file(key)) as file:
            return file is not None and self._is_over(file)

    @classmethod
    def _parse(cls, name: str) -> tuple[Self | None, bool]:
        """Return the session that a file is named after, and whether it is still being written.

        Another application's prefix may start with ours: only a key of the very length that
        this store makes is its own.
        """
        prefix = conf.SESSION_COOKIE_NAME
        key, temporary, end = name.removeprefix(prefix).partition(whole_files.TEMPORARY)
        if not name.startswith(prefix) or (len(key) != keys.LENGTH and not cls._makes_own_keys()):
            return None, False
        store = cls(key)
        return (store, bool(temporary and end)) if store._session_key == key else (None, False)

    def _is_over(self, file: int) -> bool:
        content, modified = whole_files.read_open(file)
        record = FileRecord(_text(content), seconds=modified)
        return self._has_expired(record, self._data(record) or {})


def _unlinked(file: os.DirEntry[str]) -> bool:
    Path(file.path).unlink()
    return True


def _text(content: bytes) -> str:
    return content.decode("latin-1")  # text beyond ASCII has no valid signature


def _bytes(record: Record) -> bytes:
    payload: str = record.payload
    return payload.encode("latin-1")
