"""Each storage call failing alone, now and then, and for good; then an audit of what is stored.

What must hold: an error is the store's own, a record is whole, what was acknowledged is there,
and what has ended is not.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest

from dj_sessions.storage.copies import outage as outages
from tests.modes import Mode
from tests.outages.faults import faults, is_on_purpose, whole_names
from tests.stores import Store

DATA = {"colour": "green", "_auth_user_id": "1"}
CHANGED = {**DATA, "colour": "red"}

PARTS = {
    "db": ["database"],
    "cache": ["cache"],
    "cached_db": ["database", "cache"],
    "file": ["files"],
    "redis": ["cache"],
}

pytestmark = pytest.mark.stores("db", "cache", "cached_db", "file", "redis")

DEEDS: dict[str, Callable[[Any], Any]] = {
    "create": lambda session: session.create(),
    "load": lambda session: session.load(),
    "save": lambda session: session.save(),
    "cycle_key": lambda session: session.cycle_key(),
    "flush": lambda session: session.flush(),
}


@pytest.fixture(autouse=True)
def a_cache_that_has_failed_is_asked_again_at_once() -> Iterator[None]:
    with (
        mock.patch.object(outages, "FIRST_REST", 0),
        mock.patch.object(outages, "LONGEST_REST", 0),
    ):
        yield
    outages._outages.clear()


def prepared(store: Store, mode: Mode, deed: str) -> tuple[str, Any]:
    """Return the key of a session and a store that is about to do the deed."""
    first = store.SessionStore()
    first.update(DATA)
    first.save()
    session = mode.wrap(store.SessionStore(None if deed == "create" else first.session_key))
    if deed in ("create", "save", "cycle_key"):
        session.update(CHANGED if deed == "save" else DATA)  # reads it
    return first.session_key, session


def attempt(deed: str, session: Any) -> Exception | None:
    try:
        DEEDS[deed](session)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at
        return error
    return None


def load(store: Store, key: str | None) -> dict[str, Any]:
    return dict(store.SessionStore(key).items())


def audit(
    store: Store, deed: str, key: str, session: Any, error: Exception | None, late: bool
) -> None:
    """Look at what is stored after a deed that did, or did not, meet a fault."""
    found, own = load(store, key), session.raw.session_key
    if error is None:
        expected = {"save": CHANGED, "cycle_key": {}, "flush": {}}.get(deed, DATA)
        assert found == expected
        assert deed != "flush" or own is None
        assert deed not in ("create", "cycle_key") or load(store, own) == DATA
    elif not late:
        assert found == DATA
        assert deed != "create" or own is None
    else:  # it may have been done
        assert found in {"save": (DATA, CHANGED), "cycle_key": (DATA, {}), "flush": (DATA, {})}.get(
            deed, (DATA,)
        )
    if store.path:
        for name in whole_names(store.path):
            assert load(store, name.removeprefix("sessionid")) in (DATA, CHANGED)
    again = store.SessionStore(key)
    again.flush()
    assert load(store, key) == {}


@pytest.mark.parametrize("late", [False, True], ids=["before it is done", "after it is done"])
@pytest.mark.parametrize("deed", DEEDS)
def test_one_storage_call_fails(store, mode, deed, late):
    for part in PARTS[store.kind]:
        for number in itertools.count():
            key, session = prepared(store, mode, deed)
            with faults(store, part, lambda n, due=number: n == due, late=late) as met:
                error = attempt(deed, session)
            if not met.failed:
                break
            assert error is None or is_on_purpose(error)
            if (store.kind, part) == ("cached_db", "cache"):
                assert error is None, "cached_db goes on without its cache"
            elif store.kind == "redis":
                assert error is None, "a command is sent again"
            elif store.kind != "file":
                assert error is not None
            audit(store, deed, key, session, error, late)
        assert number > 0 or (deed, part, store.kind) == ("load", "database", "cached_db")


@pytest.mark.parametrize("deed", DEEDS)
def test_every_storage_call_fails(store, mode, deed):
    for part in PARTS[store.kind]:
        key, session = prepared(store, mode, deed)
        with faults(store, part, lambda n: True) as met:
            errors = [attempt(deed, session) for _ in range(2)]
        goes_on = store.kind == "cached_db" and (part == "cache" or deed == "load")
        for error in errors:
            assert error is None if goes_on else error is not None and is_on_purpose(error)
        assert met.failed or (deed, part) == ("load", "database")
        if not goes_on:
            audit(store, deed, key, session, errors[-1], late=False)


@pytest.mark.parametrize("late", [False, True], ids=["before it is done", "after it is done"])
def test_storage_calls_fail_now_and_then(store, mode, late):
    for part in PARTS[store.kind]:
        seed = random.randrange(10**6)
        print(f"{seed=}")  # shown if it fails
        Story(store, mode, part, late, random.Random(seed)).tell()


class Story:
    """A visitor whose session is changed, given new keys and ended, one deed after another."""

    def __init__(
        self, store: Store, mode: Mode, part: str, late: bool, chance: random.Random
    ) -> None:
        self.store, self.mode, self.part, self.late, self.chance = store, mode, part, late, chance
        self.ended: list[str] = []
        self.begin()

    def begin(self) -> None:
        self.key, session = prepared(self.store, self.mode, "save")
        session.set("number", 0)
        session.save()
        #: What the session may hold: a save that failed may have been done.
        self.numbers = {0}

    def tell(self) -> None:
        for number in range(1, 30):
            session = self.mode.wrap(self.store.SessionStore(self.key))
            deed = self.chance.choices(["save", "cycle_key", "flush"], [8, 2, 1])[0]
            with self.faults():
                error = self.attempt(deed, session, number)
            assert error is None or is_on_purpose(error)
            getattr(self, f"after_{deed}")(number, session, error)
            assert not any(load(self.store, key) for key in self.ended)
            assert load(self.store, self.key)["number"] in self.numbers

    def faults(self) -> Any:
        return faults(self.store, self.part, lambda n: self.chance.random() < 0.25, late=self.late)

    def attempt(self, deed: str, session: Any, number: int) -> Exception | None:
        try:
            if deed == "save":
                session.set("number", number)
        except Exception as error:  # noqa: BLE001 - looked at by the caller
            return error
        return attempt(deed, session)

    def after_save(self, number: int, session: Any, error: Exception | None) -> None:
        self.numbers = {number} if error is None else {*self.numbers, number}

    def after_cycle_key(self, number: int, session: Any, error: Exception | None) -> None:
        if error is None:
            self.ended.append(self.key)
            self.key = session.raw.session_key
        else:
            self.unless_gone()

    def after_flush(self, number: int, session: Any, error: Exception | None) -> None:
        if error is None:
            self.ended.append(self.key)
            self.begin()
        else:
            self.unless_gone()

    def unless_gone(self) -> None:
        """Only an answer that was lost makes a session end of which one is told it did not."""
        if not load(self.store, self.key):
            assert self.late or self.store.kind == "file"
            self.ended.append(self.key)
            self.begin()
