"""Sessions as files in one directory, named after the session key behind a prefix."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from dj_sessions import _keys
from dj_sessions._codec import payloads
from dj_sessions.conf import conf
from dj_sessions.storage.base import Record, Storage
from dj_sessions.storage.clearing import Purge
from dj_sessions.storage.files import whole_files
from dj_sessions.storage.files.clearing import FilePurge

logger = logging.getLogger("django.contrib.sessions")

#: What follows the name of a session's file in that of a forward: who clears finds it abandoned.
LEAD: Final = f"{whole_files.TEMPORARY}moved"

#: Seconds after which a file that is being written has been abandoned.
ORPHAN_AGE: Final = 3600


class FileStorage(Storage):
    """Text in files; when a session ends is told by its data and its file's last modification.

    ``path_of(key)`` returns where the file of a session is, and ``key_in(name)`` the key that a
    file is named after, None for a file of somebody else. ``is_over(record)`` returns whether a
    session has ended; the directory is ``directory``.
    """

    atomic_replace = True

    def __init__(
        self,
        directory: str | os.PathLike[str],
        path_of: Callable[[str], str],
        key_in: Callable[[str], str | None],
        is_over: Callable[[str, Record], bool],
    ) -> None:
        self._directory = directory
        self._path_of = path_of
        self._key_in = key_in
        self._is_over = is_over

    def read(self, key: str) -> Record | None:
        path = self._path_of(key)
        found = whole_files.read(path)
        if found is not None:
            return _record(*found)
        if whole_files.is_in_the_way(path):
            payloads.report_corruption(f"it is no regular file{self._place(key)}")
        lead = whole_files.read(path + LEAD)
        return None if lead is None else Record(None, forward=_text(lead[0]))

    def _place(self, key: str) -> str:
        where = os.fspath(self._directory)
        return f" (the file of session {_keys.shorten(key)} in {where!r})"

    def insert(self, key: str, record: Record) -> bool:
        durable = conf.SESSION_FILE_FSYNC
        return whole_files.create(self._path_of(key), _bytes(record), durable=durable)

    def replace(self, key: str, record: Record, expected: Record | None) -> bool:
        path = self._path_of(key)
        with whole_files.locked(path) as file:
            if file is None or not self._is_replaceable(key, file, expected):
                return False
            whole_files.replace(path, _bytes(record), durable=conf.SESSION_FILE_FSYNC)
            return True

    def remove(self, key: str, expected: Record | None = None) -> bool:
        if expected is None:
            return self._remove_if(key, lambda file: True)
        return self._remove_if(key, lambda file: self._is_replaceable(key, file, expected))

    def move(self, key: str, expected: Record | None, forward: str) -> bool:
        path = self._path_of(key)
        with whole_files.locked(path) as file:
            if file is None or not self._is_replaceable(key, file, expected):
                return False
            # First, and for a minute: there is no need to wait for the disk.
            whole_files.replace(path + LEAD, forward.encode())
            whole_files.remove(path, durable=conf.SESSION_FILE_FSYNC)
            return True

    def holds(self, key: str) -> bool:
        return whole_files.exists(self._path_of(key))

    def _is_replaceable(self, key: str, file: int, expected: Record | None) -> bool:
        if expected is None:  # what has expired is not brought back
            return not self._ends_in(key, file)
        content, _ = whole_files.read_open(file)
        return content == _bytes(expected)

    def _ends_in(self, key: str, file: int) -> bool:
        return self._is_over(key, _record(*whole_files.read_open(file)))

    def _remove_if(self, key: str, condition: Callable[[int], bool]) -> bool:
        path = self._path_of(key)
        with whole_files.locked(path) as file:
            if file is None or not condition(file):
                return False
            whole_files.remove(path, durable=conf.SESSION_FILE_FSYNC)
            return True

    # Clearing

    def purge(self, now: datetime, batch: int) -> int:
        return self.start_purge(now).remove(batch)

    def start_purge(self, now: datetime) -> Purge:
        return FilePurge(self._directory, partial(self._purge_file, now))

    def _purge_file(self, now: datetime, file: os.DirEntry[str], remove: bool) -> bool:
        """Return whether a file is ours and over; remove it then, unless it is only asked."""
        name, temporary, end = file.name.partition(whole_files.TEMPORARY)
        key = self._key_in(name)
        if key is None:
            return False
        try:
            age = now.timestamp() - file.stat(follow_symlinks=False).st_mtime
            if temporary and end:
                return age >= ORPHAN_AGE and (not remove or _unlinked(file))
            # Saved since: then it had not expired, and need not be read.
            return age >= 0 and self._ends_if_over(key, remove)
        except FileNotFoundError:
            if not Path(file.path).parent.is_dir():
                raise
            return False  # others were faster
        except PermissionError:  # another user's, in a directory for everybody
            logger.warning("Cannot tell whether a session file has expired: no permission")
            return False

    def _ends_if_over(self, key: str, remove: bool) -> bool:
        if remove:
            return self._remove_if(key, partial(self._ends_in, key))
        with whole_files.locked(self._path_of(key)) as file:
            return file is not None and self._ends_in(key, file)


def _record(content: bytes, modified: float) -> Record:
    moment = datetime.fromtimestamp(modified, UTC if conf.USE_TZ else None)
    return Record(_text(content), modified=moment)


def _unlinked(file: os.DirEntry[str]) -> bool:
    Path(file.path).unlink()
    return True


def _text(content: bytes) -> str:
    return content.decode("latin-1")  # text beyond ASCII has no valid signature


def _bytes(record: Record) -> bytes:
    payload: str = record.payload
    return payload.encode("latin-1")
