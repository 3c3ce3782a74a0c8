"""Disks that are full or read-only: small ones of our own where the test may mount them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.limits import full_disk

#: Bytes of a disk of our own.
SIZE = 256 * 1024


@contextmanager
def small_disk(directory: Path) -> Iterator[Path]:
    """A disk of 256 KB, or if the test may not mount one, a directory."""
    place = directory / "disk"
    place.mkdir()
    is_mounted = not os.geteuid() and not _run(
        "mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", place
    )
    try:
        yield place
    finally:
        if is_mounted:
            _run("umount", "-l", place)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Leave no byte on the disk; where it is none of our own, let no file take one."""
    if not os.path.ismount(disk):
        with full_disk(room=0):
            yield
        return
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while file.write(bytes(size)):
                    continue
            except OSError:  # full
                continue
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def read_only(disk: Path) -> Iterator[None]:
    """Let nobody write to the disk; where it is none of our own, not into its directories."""
    if os.path.ismount(disk):
        assert not _run("mount", "-o", "remount,ro", disk)
        try:
            yield
        finally:
            assert not _run("mount", "-o", "remount,rw", disk)
        return
    directories = [disk, *(path for path in disk.iterdir() if path.is_dir())]
    for directory in directories:
        directory.chmod(0o500)
    try:
        yield
    finally:
        for directory in directories:
            directory.chmod(0o700)


def _run(*command: object) -> int:
    """Return the exit code; a program that is missing counts as a refusal."""
    try:
        return subprocess.run([*map(str, command)], capture_output=True, check=False).returncode
    except FileNotFoundError:
        return 127
