"""A function of a site's, which keeps what it is told and when."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from django.test import override_settings


class Value(NamedTuple):
    """What was recorded, and when (``time.monotonic()``)."""

    name: str
    value: float
    attributes: dict[str, str]
    at: float


_told: list[Value] = []


def note(name: str, value: float, attributes: dict[str, str]) -> None:
    _told.append(Value(name.removeprefix("dj_sessions."), value, attributes, time.monotonic()))


class Told:
    """What was recorded since it was last cleared."""

    def everything(self) -> list[Value]:
        return list(_told)

    def all(self, name: str) -> list[Value]:
        return [each for each in _told if each.name == name]

    def counts(self, name: str, *by: str) -> dict[str, float]:
        """The sums of a name's values, by some of its attributes."""
        found = Counter[str]()
        for each in self.all(name):
            found[" ".join(each.attributes[key] for key in by)] += each.value
        return dict(found)

    def operations(self) -> list[str]:
        """The operations of the storage, in their order."""
        return [each.attributes["operation"] for each in self.all("storage.duration")]

    def clear(self) -> None:
        _told.clear()


@contextmanager
def telling(*more: str) -> Iterator[Told]:
    """Have what is counted in the block told, and to `more` who are named as in the setting."""
    _told.clear()
    with override_settings(SESSION_METRICS=[f"{__name__}.note", *more]):
        yield Told()
    _told.clear()
