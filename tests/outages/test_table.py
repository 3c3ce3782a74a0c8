"""What the page "When a store fails" says of each failure is what happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

import pytest

from dj_sessions.storage.copies import outage as outages
from dj_sessions.storage.files.storage import ORPHAN_AGE
from tests.contract.visits import session_cookie, visit
from tests.docs.pages import docs
from tests.modes import Mode
from tests.outages.failures import FAILURES
from tests.outages.places import CACHES, Place, begin_request, place
from tests.outages.servers import OwnServer
from tests.stores import in_thread

ENGINES = ("db", "cache", "cached_db", "file", "redis")
DEEDS: dict[str, list[Callable[[Any], Any]]] = {
    "Reading": [lambda session: session.get("colour")],
    "Saving": [lambda session: session.set("colour", "red")],
    "Logging out": [lambda session: session.get("_auth_user_id"), lambda session: session.flush()],
}
#: What the session of each of the three deeds holds -> what is there afterwards.
DATA = {"colour": "green", "_auth_user_id": "1"}
CHANGED = {**DATA, "colour": "red"}
AFTERWARDS = {
    "as before": [DATA, DATA, DATA],
    "the logout holds": [DATA, DATA, {}],
    "the change and the logout hold": [DATA, CHANGED, {}],
    "no session is left": [{}, {}, {}],
}


@dataclass(frozen=True)
class Row:
    """A row of the page, for one of the stores that it names."""

    engine: str
    store: str
    cells: dict[str, str]

    @property
    def failure(self) -> str:
        return self.cells["Failure"]

    @property
    def name(self) -> str:
        return f"{self.engine}-{self.store}-{self.failure}"

    @property
    def stores(self) -> dict[str, str]:
        """The database and the cache of the engine; the one that does not fail is any."""
        if self.engine == "file":
            return {}
        role = "cache" if self.store in CACHES else "database"
        other = {"cache": "Redis", "database": "SQLite"} if self.engine == "cached_db" else {}
        return {**other, role: self.store}

    @property
    def waits_long(self) -> bool:
        """Whether a database driver waits for seconds, as it knows no fractions of one."""
        return self.store not in CACHES and self.failure == "accepts and never answers"


ROWS = [
    Row(engine, store, cells)
    for engine in ENGINES
    for cells in docs("outages").sections[engine].rows
    for store in cells["Store"].rpartition(": ")[2].split(", ")
]


def of(rows: list[Row]) -> Any:
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.name)


@pytest.fixture
def where(
    row: Row,
    databases: None,
    fresh_caches: str,
    own_server: Callable[[str], OwnServer],
    tmp_path: Any,
) -> Iterator[Place]:
    cache = row.stores.get("cache")
    server = own_server("memcached" if cache == "Memcached" else "redis") if cache else None
    with place(row.engine, tmp_path, **row.stores, cache_server=server) as made:
        yield made


@of([row for row in ROWS if not row.waits_long])
def test_a_failure_does_what_its_row_says(row, where, mode):
    compare(row, where, mode)


@of([row for row in ROWS if row.waits_long])
@pytest.mark.modes("sync")
def test_a_server_that_never_answers_does_what_its_row_says(row, where, mode):
    compare(row, where, mode)


def cautious(session: Any) -> Any:
    """Read, and go on without where that fails; in async code the result is awaited."""

    async def awaited(reading: Any) -> Any:
        try:
            return await reading
        except Exception:  # noqa: BLE001 - whatever the store raises
            return "no idea"

    try:
        reading = session.get("colour")
    except Exception:  # noqa: BLE001 - whatever the store raises
        return "no idea"
    return awaited(reading) if isawaitable(reading) else reading


@of([row for row in ROWS if row.failure == "unreachable" and row.engine != "cached_db"])
def test_a_view_that_goes_on_without_its_session_leaves_the_cookie(row, where, mode):
    key = in_thread(stored, where)
    with FAILURES[row.store, row.failure](where):
        begin_request()
        response = visit(mode, cautious, cautious, cookie=key)
    assert response.seen == ["no idea", "no idea"]
    assert session_cookie(response) is None
    begin_request()
    assert in_thread(load, where, key) == DATA


def test_every_failure_that_can_be_provoked_is_on_the_page():
    assert {(row.store, row.failure) for row in ROWS} == set(FAILURES)
    for store, failure in FAILURES:
        engines = {row.engine for row in ROWS if (row.store, row.failure) == (store, failure)}
        assert ("redis" in engines) is (store == "Redis")
        engines -= {"redis"}
        own = "file" if store == "files" else "cache" if store in CACHES else "db"
        assert engines == ({own} if own == "file" else {own, "cached_db"}), (store, failure)


@pytest.mark.parametrize(
    "phrase",
    [
        {0.1: "a tenth of a second"}[outages.FIRST_REST],
        {5: "five seconds"}[outages.LONGEST_REST],
        {60: "cache, process and minute"}[outages.LOG_INTERVAL],
        {3600: "`clearsessions` removes an hour later"}[ORPHAN_AGE],
    ],
)
def test_numbers_are_those_of_the_code(phrase):
    assert phrase in " ".join(docs("outages").text.split())


def compare(row: Row, where: Place, mode: Mode) -> None:
    """Let the store fail, send the three requests, and look at what the row says of them."""
    where.keys += [in_thread(stored, where) for _ in DEEDS]
    is_lost = row.cells["Afterwards"] == "no session is left"
    with FAILURES[row.store, row.failure](where) as lock:
        for (deed, steps), key in zip(DEEDS.items(), where.keys, strict=True):
            begin_request()
            gave_way = lock and lock(key)
            response = visit(mode, *steps, cookie=key, raises=False)
            cell = row.cells[deed]
            said = cell.removesuffix(", after waiting")
            assert outcome(response, said) == said, deed
            assert said == cell or gave_way.is_set(), deed
            if not cell.startswith("works"):
                assert session_cookie(response) is None, deed
            elif deed != "Logging out" and not is_lost:
                assert keeps_cookie(response, key), deed
    begin_request()
    # Another connection than this process's: that of the next request in another thread.
    found = [in_thread(load, where, key) for key in where.keys]
    assert found == AFTERWARDS[row.cells["Afterwards"]]


def outcome(response: Any, said: str) -> str:
    """Return what the cell would say: as `said` if the error is of that class."""
    if response.status_code == 200:
        return "works"
    assert response.status_code == 500
    *kinds, _, _, _ = type(response.exc_info[1]).__mro__  # without Exception and what is above
    names = [f"`{kind.__name__}`" for kind in kinds]
    return said if said in names else names[0]


def keeps_cookie(response: Any, key: str) -> bool:
    cookie = session_cookie(response)
    return cookie is None or (cookie.value == key and cookie["max-age"] != 0)


def stored(where: Place) -> str:
    session = where.SessionStore()
    session.update(DATA)
    session.save()
    return str(session.session_key)


def load(where: Place, key: str) -> dict[str, Any]:
    return dict(where.SessionStore(key).items())
