"""Files that are written whole or not at all, and changed by one at a time."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from django.core.files import locks

#: What stands between the name of a session's file and the random end of a file being written.
TEMPORARY: Final = "_out_"


def read(path: str) -> tuple[bytes, float] | None:
    """Return the content and the time of modification (epoch seconds), None without a file."""
    # Each request reads: to make a file object takes longer than the system does.
    descriptor = _descriptor(path)
    if descriptor is None:
        return None
    try:
        facts = os.fstat(descriptor)
        content = os.read(descriptor, facts.st_size)
        while len(content) < facts.st_size and (more := os.read(descriptor, facts.st_size)):
            content += more
        return content, facts.st_mtime
    finally:
        os.close(descriptor)


def create(path: Path, content: bytes, *, durable: bool = False) -> bool:
    """Put a new file there, for its owner only and whole; False if there is one."""
    temporary = _written(path, content, durable)
    try:
        _link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    _keep_names(path.parent, durable)
    return True


def replace(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Put ``content`` in place of a file; readers see the old content or the new."""
    temporary = _written(path, content, durable)
    try:
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)  # it may have been done, whatever was reported
        raise
    _keep_names(path.parent, durable)


def remove(path: Path, *, durable: bool = False) -> None:
    """Remove a file."""
    path.unlink()
    _keep_names(path.parent, durable)


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
    """Return the open file, or None if there is none."""
    descriptor = _descriptor(path)
    return None if descriptor is None else open(descriptor, "rb")  # noqa: PTH123


def _descriptor(path: str | Path) -> int | None:
    """Open a file, or return None if there is none; without its directory nothing is sure."""
    try:
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        if Path(path).parent.is_dir():
            return None
        raise


def _is_at(path: Path, file: IO[bytes]) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    return False


def _written(path: Path, content: bytes, durable: bool) -> Path:
    """Return a new file beside ``path``, for its owner only, with all of ``content``."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name + TEMPORARY)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(descriptor)
    except BaseException:
        Path(name).unlink()
        raise
    return Path(name)


def _link(temporary: Path, path: Path) -> None:
    """Give a file its name; raises FileExistsError if the name is taken."""
    try:
        path.hardlink_to(temporary)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
            raise
        # A file system without links: the name is taken first, and the file replaces it.
        path.touch(0o600, exist_ok=False)
        temporary.replace(path)


def _keep_names(directory: Path, durable: bool) -> None:
    """Have what was named, renamed or removed in a directory survive a power cut."""
    if not durable:
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
