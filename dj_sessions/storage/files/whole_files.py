"""Files that are written whole or not at all, and changed by one at a time.

Paths are texts and files are descriptors: objects for them take longer to make than the system
takes for what is done with them, and each request comes here.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from django.core.files import locks

#: What stands between the name of a session's file and the random end of a file being written.
TEMPORARY: Final = "_out_"

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
#: Others may have put something else there: a link leads elsewhere, opening a pipe waits for who
#: writes to it, and a terminal would become the server's.
_PLAINLY: Final = sum(
    getattr(os, flag, 0) for flag in ("O_BINARY", "O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY")
)
_READ: Final = os.O_RDONLY | _PLAINLY
#: NFS gives an exclusive lock only to who may write.
_LOCK: Final = os.O_RDWR | _PLAINLY


def read(path: str) -> tuple[bytes, float] | None:
    """Return the content and the time of modification (epoch seconds), None without a file.

    Links, pipes, directories, sockets and devices are no files, here as in ``locked()``.
    """
    descriptor = _opened(path)
    if descriptor is None:
        return None
    try:
        return read_open(descriptor)
    finally:
        os.close(descriptor)


def read_open(descriptor: int) -> tuple[bytes, float]:
    """Return what ``read()`` does, of a file that is open."""
    facts = os.fstat(descriptor)
    content = os.read(descriptor, facts.st_size)
    while len(content) < facts.st_size and (more := os.read(descriptor, facts.st_size)):
        content += more
    return content, facts.st_mtime


def exists(path: str) -> bool:
    """Return whether there is a file."""
    return stat.S_ISREG(_mode(path))


def is_in_the_way(path: str) -> bool:
    """Return whether there is something else than a file."""
    return _mode(path) != 0 and not exists(path)


def _mode(path: str) -> int:
    try:
        return os.lstat(path).st_mode
    except FileNotFoundError:
        return 0


def create(path: str, content: bytes, *, durable: bool = False) -> bool:
    """Put a new file there, for its owner only and whole; False if there is one."""
    temporary = _written(path, content, durable)
    try:
        _link(temporary, path)
    except FileExistsError:
        return False
    finally:
        _forget(temporary)
    _keep_names(path, durable)
    return True


def replace(
    path: str, content: bytes, *, durable: bool = False, modified: float | None = None
) -> None:
    """Put ``content`` in place of a file; readers see the old content or the new.

    The new file has the time of modification ``modified`` (epoch seconds), by default now.
    """
    temporary = _written(path, content, durable)
    try:
        if modified is not None:
            os.utime(temporary, (modified, modified))
        os.replace(temporary, path)
    except BaseException:
        _forget(temporary)  # it may have been done, whatever was reported
        raise
    _keep_names(path, durable)


def rename(path: str, new: str) -> None:
    """Rename a file that is locked; whoever waits for the lock finds it under its new name."""
    os.rename(path, new)


def remove(path: str, *, durable: bool = False) -> None:
    """Remove a file."""
    os.unlink(path)
    _keep_names(path, durable)


@contextmanager
def locked(path: str) -> Iterator[int | None]:
    """Hold the file against other writers and yield it, open, or None if there is none.

    The lock is on the file's content, not its name: after waiting for it, the name may stand
    for another file, or none.
    """
    while (descriptor := _opened(path, _LOCK)) is not None:
        try:
            locks.lock(descriptor, locks.LOCK_EX)
            if _is_at(path, descriptor):
                yield descriptor
                return
        finally:
            os.close(descriptor)
    yield None


def _opened(path: str, flags: int = _READ) -> int | None:
    """Open a file, or return None if there is none; without its directory nothing is sure."""
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        if os.path.isdir(os.path.dirname(path)):
            return None
        raise
    except OSError:
        if is_in_the_way(path):
            return None
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None


def _is_at(path: str, descriptor: int) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    return False


def _written(path: str, content: bytes, durable: bool) -> str:
    """Write ``content`` to a new file beside ``path``, for its owner only; return its path."""
    temporary = f"{path}{TEMPORARY}{os.urandom(4).hex()}"
    descriptor = os.open(temporary, _NEW, 0o600)
    try:
        try:
            while content:
                content = content[os.write(descriptor, content) :]
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        os.unlink(temporary)
        raise
    return temporary


def _forget(temporary: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(temporary)


def _link(temporary: str, path: str) -> None:
    """Give a file its name; raises FileExistsError if the name is taken."""
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
            raise
        # A file system without links: the name is taken first, and the file replaces it.
        os.close(os.open(path, _NEW, 0o600))
        os.replace(temporary, path)


def _keep_names(path: str, durable: bool) -> None:
    """Have what was named, renamed or removed beside ``path`` survive a power cut."""
    if not durable:
        return
    descriptor = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
