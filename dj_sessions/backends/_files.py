"""Files that are written whole or not at all, and changed by one at a time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from django.core.files import locks

#: What stands between the name of a session's file and the random end of a file being written.
TEMPORARY: Final = "_out_"


def read(path: Path) -> tuple[bytes, float] | None:
    """Return the content and the time of modification (epoch seconds), None without a file."""
    file = _open(path)
    if file is None:
        return None
    with file:
        return file.read(), os.fstat(file.fileno()).st_mtime


def create(path: Path, content: bytes) -> bool:
    """Write a new file, for its owner only; False if there is one."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    try:
        _write(descriptor, content)
    except BaseException:
        path.unlink()
        raise
    return True


def replace(path: Path, content: bytes) -> None:
    """Put ``content`` in place of a file; readers see the old content or the new."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name + TEMPORARY)
    try:
        _write(descriptor, content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise


@contextmanager
def locked(path: Path) -> Iterator[IO[bytes] | None]:
    """Hold the file against other writers and yield it, or None if there is none.

    The lock is on the file's content, not its name: after waiting for it, the name may stand
    for another file, or none.
    """
    while True:
        file = _open(path)
        if file is None:
            yield None
            return
        with file:
            locks.lock(file, locks.LOCK_EX)
            if _is_at(path, file):
                yield file
                return


def _open(path: Path) -> IO[bytes] | None:
    """Return the open file, or None if there is none; without its directory nothing is sure."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        if path.parent.is_dir():
            return None
        raise


def _is_at(path: Path, file: IO[bytes]) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    return False


def _write(descriptor: int, content: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
