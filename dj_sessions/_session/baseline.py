"""What the data in a session came from, and what this request has done to it since."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dj_sessions.storage.base import Commit, Record


class Origin(NamedTuple):
    """The record that data was read from, and the key under which it stood."""

    key: str
    record: Record


class LoadedData(dict[str, Any]):
    """Data as a store gave it, which knows the record that it was read from.

    So it takes its baseline along into whichever session it is put, as its copies do. A pickle of
    it is one of a plain dictionary.
    """

    __slots__ = ("origin",)

    def __init__(self, data: dict[str, Any], origin: Origin) -> None:
        super().__init__(data)
        self.origin = origin

    def __copy__(self) -> LoadedData:
        return LoadedData(self, self.origin)

    copy = __copy__

    def __deepcopy__(self, memo: dict[int, Any]) -> LoadedData:
        return LoadedData(deepcopy(dict(self), memo), self.origin)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def plain(data: dict[str, Any]) -> dict[str, Any]:
    """Return what a cache shall pickle: Django's own engine may read it without this package."""
    return dict(data) if type(data) is LoadedData else data


class Uncommitted(NamedTuple):
    """A record that was saved inside a transaction, with the keys that were new in it."""

    record: Record
    commit: Commit
    assigned: set[str]


@dataclass(slots=True)
class Baseline:
    """What ``data``, in the session under ``key``, is compared and merged with.

    ``committed`` is the record that everybody sees; None means that the data replaces whatever is
    stored. ``assigned`` are the keys that this request assigned or deleted since, equal or not. A
    transaction may still take back what was saved inside it, so that is kept beside it.
    """

    data: dict[str, Any]
    key: str | None
    committed: Record | None
    assigned: set[str] = field(default_factory=set)
    _saving: set[str] = field(default_factory=set)
    _uncommitted: list[Uncommitted] = field(default_factory=list)

    @property
    def latest(self) -> Record | None:
        """The record that this session has saved last, and expects to find."""
        return self._uncommitted[-1].record if self._uncommitted else self.committed

    def changes(self) -> set[str]:
        """Return the keys that were assigned or deleted since ``committed``."""
        return self.assigned.union(self._saving, *(saved.assigned for saved in self._uncommitted))

    def start_saving(self) -> Record | None:
        """Note what the save that begins has in it: another task may assign more meanwhile.

        Return the record that it expects to find.
        """
        self._saving |= self.assigned
        self.assigned = set()
        return self.latest

    def saved(self, record: Record, commit: Commit | None) -> None:
        """Note that ``record`` is stored, or will be with ``commit``."""
        if commit is None:
            self.committed, self._uncommitted = record, []
        else:
            self.settle()
            self._uncommitted.append(Uncommitted(record, commit, self._saving))
        self._saving = set()

    def settle(self) -> None:
        """Take what has been committed meanwhile as what everybody sees."""
        while self._uncommitted and self._uncommitted[0].commit.is_done:
            self.committed = self._uncommitted.pop(0).record

    def go_back_to(self, payload: Any) -> bool:
        """Take back what was saved after ``payload`` if that is ours; return whether it is."""
        records = [self.committed, *(saved.record for saved in self._uncommitted)]
        for number, record in enumerate(records):
            if record is not None and record.payload == payload:
                self.assigned.update(*(saved.assigned for saved in self._uncommitted[number:]))
                del self._uncommitted[number:]
                return True
        return False

    def start_from(self, record: Record | None) -> None:
        """Compare with ``record`` from now on, which somebody else has stored (None: anything)."""
        self.assigned = self.changes()
        self._saving = set()
        self.committed, self._uncommitted = record, []
