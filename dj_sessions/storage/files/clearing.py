"""Removing the files of expired sessions: as the directory is read, and never all at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from dj_sessions.storage.clearing import Batch, Purge

File: TypeAlias = "os.DirEntry[str]"

#: Files looked at in a batch that finds little to remove.
LOOKED_AT: Final = 2000


class FilePurge(Purge):
    """The run over the files of ``directory``.

    ``purge_file(file, remove)`` tells whether the session in a file is over, and then removes it
    if ``remove`` is true.
    """

    def __init__(
        self, directory: str | os.PathLike[str], purge_file: Callable[[File, bool], bool]
    ) -> None:
        self._directory = os.fspath(directory)
        self._purge_file = purge_file
        self._files = self._scan()

    def _scan(self) -> Iterator[File]:
        with os.scandir(self._directory) as entries:
            yield from (entry for entry in entries if entry.is_file(follow_symlinks=False))

    def step(self, size: int) -> Batch:
        removed = 0
        for looked_at, file in enumerate(self._files, start=1):
            removed += self._purge_file(file, True)
            if removed == size or looked_at == LOOKED_AT:
                return Batch(removed, more=True)
        return Batch(removed, more=False)

    def count(self) -> int:
        return sum(self._purge_file(file, False) for file in self._scan())
