"""Engines and storages of a site's own: what is counted of them, and each thing once."""

from __future__ import annotations

import asyncio
import json
from importlib import import_module
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from dj_sessions.backends import db, moving
from dj_sessions.backends.stored import Record, StoredSession
from dj_sessions.exceptions import SessionEncodeError, UpdateError
from dj_sessions.storage import StorageWrapper, measured
from tests.metrics.told import telling
from tests.subclasses.engines import stored as dict_engine

ENGINES = "tests.subclasses.engines"


@pytest.fixture
def seen():
    with telling() as told:
        yield told


def store_of(name: str) -> Any:
    return import_module(f"{ENGINES}.{name}").SessionStore


def live(mode: Any, store: Any) -> None:
    session = mode.wrap(store())
    session.set("colour", "green")
    session.save()
    one, other = (mode.wrap(store(session.session_key)) for _ in range(2))
    one.set("one", 1)
    other.set("other", 1)
    one.save()
    other.save()
    other.flush()


@pytest.mark.parametrize("name", ["stored", "mixed_stored", "native_stored"])
def test_an_engine_with_a_storage_counts_under_the_name_of_its_module(name, mode, seen):
    if name == "native_stored" and not mode.is_async:
        pytest.skip("its storage is async alone")
    live(mode, store_of(name))
    engine = f"{ENGINES}.{name}"
    assert seen.counts("saves", "engine", "kind") == {f"{engine} new": 1, f"{engine} changed": 2}
    assert seen.counts("ended", "engine", "reason") == {f"{engine} flushed": 1}
    assert seen.counts("save.conflicts") == seen.counts("merges") == {"": 1}
    assert set(seen.counts("storage.duration", "engine")) == {engine}
    assert seen.operations() == [
        *("insert", "read", "read", "replace", "replace", "read_latest", "replace", "remove"),
    ]


@pytest.mark.parametrize("name", ["memory", "native"])
def test_of_an_engine_without_a_storage_its_saves_and_ends_are_not_counted(name, mode, seen):
    """It overrides the methods that tell of them, as with Django's signals."""
    if name == "native" and not mode.is_async:
        pytest.skip("it is async alone")
    store = store_of(name)
    live(mode, store)
    key = mode.wrap(store())
    key.set("colour", "green")
    key.save()
    store.records[key.session_key] = "worthless"
    mode.wrap(store(key.session_key)).get("colour")
    names = {each.name for each in seen.everything()}
    assert names == {"data.corrupt"}


class ReadableStore(dict_engine.SessionStore):
    """Stores text that is not ASCII."""

    def encode(self, session_dict: dict[str, Any]) -> str:
        return json.dumps(session_dict, ensure_ascii=False)

    def decode(self, session_data: str | bytes) -> dict[str, Any]:
        return json.loads(session_data)


def test_the_size_is_one_in_bytes(mode, seen):
    session = mode.wrap(ReadableStore())
    session.set("colour", "grün")
    session.save()
    stored = ReadableStore.records[session.session_key].payload
    assert [each.value for each in seen.all("save.size")] == [len(stored) + 1]


class Renaming(StorageWrapper):
    """Renames by other methods of its own, and has one more."""

    def rename(self, key: str, new: str, record: Any, expected: Record | None) -> str | None:
        if not self.insert(new, record):
            return None
        return new if self.remove(key, expected) else None

    def read(self, key: str) -> Record | None:
        return self.read_latest(key)

    def size(self) -> int:
        return len(self.inner.records)  # type: ignore[attr-defined]


class RenamingStore(StoredSession):
    def get_storage(self) -> Any:
        return Renaming(dict_engine.DictStorage(dict_engine.SessionStore.records))

    def size(self) -> int:
        return self._storage.size()  # type: ignore[attr-defined]


def test_what_a_storage_does_for_an_operation_counts_as_that_one(mode, seen):
    session = mode.wrap(RenamingStore())
    session.set("colour", "green")
    session.save()
    storage, key = session.raw._storage, session.session_key
    seen.clear()
    assert mode.wrap(storage).rename(key, "another1", storage.read(key), None) == "another1"
    assert seen.operations() == ["read", "rename"]


def test_what_a_storage_has_beyond_the_contract_is_reached(mode, seen):
    session = mode.wrap(RenamingStore())
    session.save()
    assert session.raw.size() == 1
    storage = mode.wrap(session.raw._storage)
    assert storage.read_renamed("nobody", session.session_key, latest=True)
    assert storage.remove(session.session_key, expected=None)


@pytest.fixture
def moves(store, settings, tmp_path):
    """Have sessions move from rows to files."""
    settings.SESSION_FILE_PATH = tmp_path
    settings.SESSION_MOVE = {
        "FROM": "dj_sessions.backends.db",
        "TO": "dj_sessions.backends.file",
    }


@pytest.mark.stores(name="db-sqlite")
def test_a_session_that_moves_counts_each_operation_once(moves, mode, seen):
    old = db.SessionStore()
    old["colour"] = "green"
    old.save()
    seen.clear()
    session = mode.wrap(moving.SessionStore(old.session_key))
    session.set("colour", "red")
    session.save()
    session.flush()
    assert seen.operations() == ["read", "replace", "remove"]
    assert seen.counts("saves", "engine", "kind") == {"moving changed": 1}
    assert seen.counts("ended", "engine") == {"moving": 1}
    assert len(seen.all("save.size")) == 1


@pytest.mark.stores(name="db-sqlite")
def test_a_value_that_cannot_be_stored_is_no_failure_of_the_store(moves, mode, seen):
    """Of a session that moves, the storage has the record made: it knows for which place."""
    session = mode.wrap(moving.SessionStore())
    session.set("colour", object())
    with pytest.raises(SessionEncodeError):
        session.save()
    assert not seen.all("storage.errors")


class Waiting(dict_engine.DictStorage):
    """Async, and waits for ever where it is told to."""

    async_native = True
    begun: asyncio.Event | None = None

    async def wait(self) -> None:
        if self.begun is not None:
            self.begun.set()
            await asyncio.Event().wait()

    async def aread(self, key: str) -> Record | None:
        await self.wait()
        return self.read(key)

    async def areplace(self, key: str, record: Record, expected: Record | None) -> bool:
        await self.wait()
        return self.replace(key, record, expected)

    async def aremove(self, key: str, expected: Record | None = None) -> bool:
        await self.wait()
        return self.remove(key, expected)


class WaitingStore(StoredSession):
    def get_storage(self) -> Any:
        return Waiting(dict_engine.SessionStore.records)


@pytest.mark.parametrize("deed", ["aload", "asave", "aflush"])
def test_a_task_that_is_cancelled_has_counted_nothing_and_no_error(deed, seen):
    async def cancelled() -> None:
        session = WaitingStore()
        session["colour"] = "green"
        await session.asave()
        later = WaitingStore(session.session_key)
        await later.aset("colour", "red")
        seen.clear()
        begun = later._storage.inner.begun = asyncio.Event()  # type: ignore[attr-defined]
        task = asyncio.create_task(getattr(later, deed)())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert seen.everything() == []


@pytest.mark.modes("sync")
def test_a_store_whose_errors_have_no_end_of_names_has_an_end_of_counters(mode, seen, monkeypatch):
    monkeypatch.setattr(measured, "_errors", set())
    store = store_of("stored")
    session = mode.wrap(store())
    session.save()
    key = session.session_key

    def fail(self: Any, key: str) -> None:
        raise type(f"Error{next(numbers)}", (ConnectionError,), {})

    numbers = iter(range(1000))
    monkeypatch.setattr(dict_engine.DictStorage, "read", fail)
    for _ in range(1000):
        with pytest.raises(ConnectionError):
            mode.wrap(store(key)).load()
    names = seen.counts("storage.errors", "error.type")
    assert sum(names.values()) == 1000
    assert len(names) == measured.MOST_ERRORS + 1
    assert names[measured.OTHER] == 1000 - measured.MOST_ERRORS


def test_the_end_of_a_session_meanwhile_is_no_error_of_the_store(mode, seen):
    store = store_of("stored")
    session = mode.wrap(store())
    session.set("colour", "green")
    session.save()
    late = mode.wrap(store(session.session_key))
    late.set("colour", "red")
    session.flush()
    with pytest.raises(UpdateError):
        late.save()
    assert not seen.all("storage.errors")
    assert seen.counts("merges", "outcome") == {"ended": 1}


@pytest.mark.stores(name="db-sqlite")
def test_the_sessions_of_a_trial_are_counted(store, seen):
    call_command("sessioncheck", stdout=StringIO())
    assert seen.counts("started") == seen.counts("ended") == {"": 2}  # sync and async
    assert seen.counts("merges", "outcome")["merged"] == 2
