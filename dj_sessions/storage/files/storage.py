"""Sessions as files in one directory, named after the session key behind a prefix."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from dj_sessions import _keys
from dj_sessions._codec import payloads
from dj_sessions._moments import moment
from dj_sessions.conf import conf
from dj_sessions.storage.base import Entries, Entry, Record, Storage
from dj_sessions.storage.clearing import Purge
from dj_sessions.storage.files import whole_files
from dj_sessions.storage.files.clearing import FilePurge
from dj_sessions.storage.files.names import NO_KEY, shortened
from dj_sessions.storage.listing import in_batches, refuse_after

logger = logging.getLogger("django.contrib.sessions")

#: What follows the name of a session's file in that of a forward: who clears finds it abandoned.
LEAD: Final = f"{whole_files.TEMPORARY}moved"

#: Seconds after which a file that is being written has been abandoned.
ORPHAN_AGE: Final = 3600


class FileStorage(Storage):
    """Text in files; when a session ends is told by its data and its file's last modification.

    ``path_of(key)`` returns where the file of a session is, and ``key_in(name)`` the key that a
    file is named after, None for a file of somebody else. ``is_over(key, record)`` returns
    whether a session has ended.
    """

    atomic_replace = True
    atomic_rename = True

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

    @property
    def place(self) -> Any:
        """The path of the file that a session of some key would have."""
        return self._path_of(NO_KEY)

    @shortened
    def read(self, key: str) -> Record | None:
        path = self._path_of(key)
        found = whole_files.read(path)
        if found is not None:
            return _record(*found)
        if whole_files.is_in_the_way(path):
            payloads.report_corruption("it is not a regular file", key, self._place(key))
        lead = whole_files.read(path + LEAD)
        return None if lead is None else Record(None, forward=_text(lead[0]))

    def _place(self, key: str) -> str:
        where = os.fspath(self._directory)
        return f" (the file of session {_keys.shorten(key)} in {where!r})"

    @shortened
    def insert(self, key: str, record: Record) -> bool:
        durable = conf.SESSION_FILE_FSYNC
        return whole_files.create(self._path_of(key), _bytes(record), durable=durable)

    @shortened
    def replace(self, key: str, record: Record, expected: Record | None) -> bool:
        path = self._path_of(key)
        with whole_files.locked(path) as file:
            if file is None or not self._is_replaceable(key, file, expected):
                return False
            durable, modified = conf.SESSION_FILE_FSYNC, _modified(record)
            whole_files.replace(path, _bytes(record), durable=durable, modified=modified)
            return True

    @shortened
    def rename(self, key: str, new: str, record: Record, expected: Record | None) -> str | None:
        path, renamed = self._path_of(key), self._path_of(new)
        with whole_files.locked(path) as file:
            if file is None or not self._is_replaceable(key, file, expected):
                return None
            if whole_files.exists(renamed):
                return None
            # The old content first, which is what a crash between the two leaves.
            whole_files.rename(path, renamed)
            whole_files.replace(renamed, _bytes(record), durable=conf.SESSION_FILE_FSYNC)
            return new

    @shortened
    def remove(self, key: str, expected: Record | None = None) -> bool:
        if expected is None:
            return self._remove_if(key, lambda file: True)
        return self._remove_if(key, lambda file: self._is_replaceable(key, file, expected))

    @shortened
    def move(self, key: str, expected: Record | None, forward: str) -> bool:
        path = self._path_of(key)
        with whole_files.locked(path) as file:
            if file is None or not self._is_replaceable(key, file, expected):
                return False
            # First, and for a minute: there is no need to wait for the disk.
            whole_files.replace(path + LEAD, forward.encode())
            whole_files.remove(path, durable=conf.SESSION_FILE_FSYNC)
            return True

    @shortened
    def drop_forward(self, key: str) -> None:
        Path(self._path_of(key) + LEAD).unlink(missing_ok=True)

    @shortened
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

    # Listing and converting

    def names(self, batch: int, after: str = "") -> Iterator[list[str]]:
        refuse_after(after, "A directory")
        return in_batches(self._names(), batch)

    def _names(self) -> Iterator[str]:
        with os.scandir(self._directory) as files:
            for file in files:
                key = None if whole_files.TEMPORARY in file.name else self._key_in(file.name)
                if key is not None and file.is_file(follow_symlinks=False):
                    yield key

    def entries(self, batch: int) -> Iterator[Entries]:
        return in_batches(filter(None, map(self._entry, self._names())), batch)

    def _entry(self, key: str) -> Entry | None:
        record = self.read(key)
        is_session = record is not None and record.forward is None and record.payload
        return Entry(key, record) if record is not None and is_session else None

    @shortened
    def rewrite(self, entry: Entry, payload: str) -> bool:
        path = self._path_of(entry.name)
        with whole_files.locked(path) as file:
            if file is None or not self._is_replaceable(entry.name, file, entry.record):
                return False
            content, durable = _bytes(Record(payload)), conf.SESSION_FILE_FSYNC
            # Last modified when it was saved: from then on its age is counted.
            _, modified = whole_files.read_open(file)
            whole_files.replace(path, content, durable=durable, modified=modified)
            return True

    # Clearing

    def purge(self, now: datetime, batch: int) -> int:
        return self.start_purge(now).remove(batch)

    def start_purge(self, now: datetime) -> Purge:
        return FilePurge(self._directory, partial(self._purge_file, now))

    @shortened
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
    return Record(_text(content), modified=moment(modified))


def _modified(record: Record) -> float | None:
    """Return when a session was changed that is written now (epoch seconds); None: just now."""
    return None if record.modified is None else record.modified.timestamp()


def _unlinked(file: os.DirEntry[str]) -> bool:
    Path(file.path).unlink()
    return True


def _text(content: bytes) -> str:
    return content.decode("latin-1")  # text beyond ASCII has no valid signature


def _bytes(record: Record) -> bytes:
    payload: str = record.payload
    return payload.encode("latin-1")
