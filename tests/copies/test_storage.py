"""Copies in front of rows: what a visit costs, what is refused, and what is made up for."""

from __future__ import annotations

import asyncio
import pickle
import secrets
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache.backends.base import InvalidCacheKey
from django.core.signing import JSONSerializer
from django.utils import timezone

from dj_sessions._codec import payloads
from dj_sessions.storage.base import Record
from dj_sessions.storage.caches import CacheAdapter, adapter_of
from dj_sessions.storage.copies import generations
from dj_sessions.storage.copies import outage as outages
from dj_sessions.storage.copies.compact import CompactForm
from dj_sessions.storage.copies.forms import DjangoForm
from dj_sessions.storage.copies.storage import CopiedStorage
from tests.copies.fakes import (
    KEY,
    PREFIX,
    Codec,
    Rows,
    SteppingAdapter,
    Table,
    cache_at,
    entries,
    new_place,
    payload,
    record,
    storage,
)


@pytest.fixture
def cache() -> Any:
    return cache_at(new_place())


@pytest.fixture
def table() -> Table:
    return Table({KEY: payload(0)})


@pytest.fixture(params=[False, True], ids=["django", "compact"])
def visit(request: pytest.FixtureRequest, cache: Any, table: Table) -> Any:
    """Return the storage of one more session."""

    def visit(rows: Rows | None = None, **options: Any) -> CopiedStorage:
        made = Rows(table) if rows is None else rows
        return storage(made, cache, is_compact=request.param, **options)

    visit.is_compact = request.param  # type: ignore[attr-defined]
    return visit


@pytest.fixture
def said(cache: Any) -> list[str]:
    """What the cache is asked from now on."""
    said: list[str] = []
    cache._session_adapter.step = said.append
    return said


def fail(cache: Any, *verbs: str) -> None:
    """Have these calls of the cache fail, all of them if none is named."""
    cache._session_adapter.failing = lambda verb: not verbs or verb in verbs


def recover(cache: Any) -> None:
    cache._session_adapter.failing = None
    for outage in outages._outages.values():
        outage._reads.worked()
        outage._writes.worked()


def is_copied(visit: Any) -> bool:
    again = visit()
    again.read(KEY)
    return again.inner.sent == []


def test_a_miss_is_read_once_and_then_it_is_a_hit(visit, said):
    first = visit()
    assert first.read(KEY).data == {"number": "0"}
    assert first.inner.sent == ["read"]
    said.clear()
    again = visit()
    assert again.read(KEY).data == {"number": "0"}
    assert again.inner.sent == []
    assert said == ["cache read_many"]


def test_a_hit_has_the_payload_of_the_row(visit):
    visit().read(KEY)
    found = visit().read(KEY)
    assert found.payload == payload(0)
    assert (found.expiry, found.modified, found.forward) == (None, None, None)


def test_data_is_a_new_copy_each_time(visit):
    visit().read(KEY)
    found = visit().read(KEY)
    found.data["number"] = "changed"
    assert found.data == {"number": "0"}


def test_a_save_of_what_was_read_is_one_call(visit, said):
    visit().read(KEY)
    session = visit()
    found = session.read(KEY)
    said.clear()
    assert session.replace(KEY, record(payload(1)), found)
    assert said == ["cache write_if"]
    assert is_copied(visit)
    assert visit().read(KEY).payload == payload(1)


def test_a_new_session_is_copied(visit, table):
    table.rows.clear()
    assert visit().insert(KEY, record(payload(5)))
    assert is_copied(visit)
    assert not visit().insert(KEY, record(payload(6)))
    assert visit().read(KEY).payload == payload(5)


def test_a_payload_that_nobody_can_make_again_is_compared_by_its_data(visit):
    visit().read(KEY)
    for number, expected in ((1, True), (2, False)):
        session = visit()
        session._codec.can_rebuild = False
        found = session.read(KEY)
        if not expected:
            visit().replace(KEY, record(payload(9)), None)
        assert session.replace(KEY, record(payload(number)), found) is expected


def test_made_up_keys_leave_nothing(visit, cache):
    for number in range(10):
        made_up = f"{number}" * 32
        session = visit()
        assert session.read(made_up) is None
        assert not session.holds(made_up)
        assert not session.remove(made_up)
        assert not session.move(made_up, None, "forward")
        assert not session.replace(made_up, record(payload(1)), None)
    assert entries(cache) == set()


def test_an_ended_session_leaves_no_data(visit, cache):
    visit().read(KEY)
    assert visit().remove(KEY)
    [name] = entries(cache)
    assert cache.get(f"{PREFIX}{name}").startswith("busy ")
    assert visit().read(KEY) is None


def test_a_forward_is_never_copied(visit, cache):
    class Moved(Rows):
        def read_written(self, key: str) -> Record | None:
            return Record(None, forward="text")

    assert visit(Moved(Table())).read(KEY).forward == "text"
    assert entries(cache) == set()


def test_a_row_that_others_may_see_otherwise_is_not_copied(visit, cache, table):
    class Snapshot(Rows):
        def reads_committed(self) -> bool:
            return False

    assert visit(Snapshot(table)).read(KEY).payload == payload(0)
    assert entries(cache) == set()


def test_a_corrupt_row_is_read_as_nothing_and_not_copied(visit, cache, table):
    table.rows[KEY] = payload("corrupt")
    found = visit().read(KEY)
    assert (found.payload, found.data) == (payload("corrupt"), {})
    assert entries(cache) == set()


class Refusing(SteppingAdapter):
    """Refuses data as pickle refuses what nests too deep."""

    def encode(self, value: Any) -> Any:
        if isinstance(value, dict):
            raise RecursionError
        return super().encode(value)


def test_what_a_cache_cannot_hold_is_no_outage(table, caplog):
    cache = cache_at(new_place(), Refusing)
    session = storage(Rows(table), cache)
    assert session.read(KEY).payload == payload(0)
    assert session.replace(KEY, record(payload(1)), None)
    assert entries(cache) == set()
    assert not caplog.records
    assert not any(generation.is_behind for generation in generations._known.values())


def test_an_entry_that_somebody_else_wrote_is_a_miss(visit, cache):
    for value in (b"", b"x" * 40, "text", 7, {"number": "9"}):
        for entry in ("", "/tag"):
            cache.set(f"{PREFIX}{KEY}{entry}", value)
        assert visit().read(KEY).payload == payload(0)
    assert is_copied(visit)


# A cache that fails


def test_a_full_cache_forgets_the_copy_and_stays_in_use(visit, cache, said, caplog):
    visit().read(KEY)
    session = visit()
    found = session.read(KEY)
    fail(cache, "write_if", "insert")
    assert session.replace(KEY, record(payload(1)), found)
    again = visit()
    assert again.read(KEY).payload == payload(1)
    assert again.inner.sent == ["read"]
    recover(cache)
    assert not any(generation.is_behind for generation in generations._known.values())
    assert visit().read(KEY).payload == payload(1)
    assert len(caplog.records) == 1
    assert KEY not in caplog.text


def test_what_a_cache_could_not_be_told_is_made_up_for(visit, cache):
    visit().read(KEY)
    fail(cache)
    assert visit().replace(KEY, record(payload(1)), None)
    assert visit().read(KEY).payload == payload(1)
    cache._session_adapter.failing = None
    assert visit().read(KEY).payload == payload(1)  # and it is left alone yet
    recover(cache)
    assert visit().read(KEY).payload == payload(1)
    assert is_copied(visit)


def test_what_is_told_in_vain_when_the_row_is_gone_is_made_up_for_again(visit, cache, table):
    """Between the two another thread has begun a new generation, and has copied the row."""
    visit().read(KEY)
    fail(cache)

    class Slow(Rows):
        def remove(self, key: str, expected: Record | None = None) -> bool:
            recover(cache)
            assert visit().read(KEY) is not None
            assert is_copied(visit)
            fail(cache)
            return super().remove(key, expected)

    assert visit(Slow(table)).remove(KEY)
    recover(cache)
    assert visit().read(KEY) is None


def test_a_process_whose_first_question_fails_begins_a_new_generation(visit, cache):
    visit().read(KEY)
    generations._known.clear()
    fail(cache)
    visit().read(KEY)
    recover(cache)
    assert not is_copied(visit)
    assert is_copied(visit)


def test_another_process_s_copies_count_no_more_after_that(visit, cache, table):
    visit().read(KEY)
    fail(cache)
    visit().remove(KEY)
    recover(cache)
    visit().read("other" * 7)
    generations._known.clear()  # another process
    assert visit().read(KEY) is None


def test_a_name_that_the_cache_refuses_is_no_outage(visit, cache):
    class Strict(SteppingAdapter):
        def read_many(self, names: Any) -> Any:
            raise InvalidCacheKey("too long")

    cache._session_adapter = Strict(cache)
    with pytest.raises(InvalidCacheKey):
        visit().read(KEY)


def test_tenants_have_generations_of_their_own(visit, cache):
    """A key function may ask whose request it is: each tenant costs no more than one would."""
    tenant = ["a"]
    cache.key_func = lambda key, prefix, version: f"{tenant[0]}:{key}"
    for name in "abab":
        tenant[0] = name
        visit().read(KEY)
    for name in "abab" * 5:
        tenant[0] = name
        assert is_copied(visit)


# Async


class AsyncRows(Rows):
    """Rows with I/O of their own."""

    async_native = True

    async def aread_written(self, key: str) -> Record | None:
        self.sent.append("awaited")
        return super().read_written(key)

    async def aread(self, key: str) -> Record | None:
        return super().read(key)

    async def areplace(self, key: str, record: Any, expected: Record | None) -> bool:
        self.sent.append("awaited")
        return super().replace(key, record, expected)


@pytest.mark.parametrize("kind", [Rows, AsyncRows])
def test_async_twins_do_the_same(visit, table, kind):
    async def live() -> None:
        session = visit(kind(table))
        found = await session.aread(KEY)
        assert found.data == {"number": "0"}
        assert await session.areplace(KEY, record(payload(1)), found)
        assert await session.aholds(KEY)
        assert await session.aremove(KEY)
        assert await session.aread(KEY) is None
        assert not await session.amove(KEY, None, "forward")
        assert await session.ainsert(KEY, record(payload(2)))
        assert ("awaited" in session.inner.sent) == (kind is AsyncRows)

    asyncio.run(live())


# The compact form


class PlainCodec(Codec):
    """Payloads as sessions have them."""

    is_plain = True

    def decode(self, payload: Any) -> dict[str, Any] | None:
        return payloads.decode(payload, JSONSerializer, "salt")

    def loads(self, content: bytes) -> dict[str, Any] | None:
        return payloads.loads(content, JSONSerializer)

    def trusted(self, payload):
        return self.decode(payload)

    def rebuild(self, data: dict[str, Any], remainder: str) -> str:
        return payloads.rebuild(data, JSONSerializer, remainder)


LOGIN = {
    "_auth_user_id": "17",
    "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
    "_auth_user_hash": secrets.token_hex(32),
}


@pytest.mark.parametrize(
    "data",
    [LOGIN, {**LOGIN, "cart": [{"sku": f"A-{n}", "n": n} for n in range(200)]}, {}],
    ids=["login", "cart", "empty"],
)
def test_a_compact_copy_has_the_row_s_payload_and_takes_less_than_django_s(cache, data):
    text = payloads.encode(data, JSONSerializer, "salt")
    rows = Rows(Table({KEY: text}))

    def visit() -> CopiedStorage:
        names = cache, cache.alias, PREFIX, lambda key: f"{PREFIX}{key}"
        return CopiedStorage(lambda: rows, *names, PlainCodec(), is_compact=True)

    assert visit().read(KEY).data == data
    found = visit().read(KEY)
    assert rows.sent == ["read"]
    assert found.data == found.data == data
    assert found.payload == text
    assert entries(cache) == {KEY}
    stored = cache._cache[cache.make_key(f"{PREFIX}{KEY}")]
    assert len(stored) < len(pickle.dumps(data, pickle.HIGHEST_PROTOCOL)) or not data


def test_a_copy_lives_as_long_as_its_row(visit, cache):
    class Ending(Rows):
        def read_written(self, key: str) -> Record | None:
            now = timezone.now()
            return Record(payload(0), now + timedelta(seconds=left), now - timedelta(days=1))

    for left, most in ((100, 100), (0.5, 0)):
        began = timezone.now().timestamp()
        cache.clear()
        visit(Ending(Table())).read(KEY)
        ends = [
            cache._expire_info[name]
            for name in cache._expire_info
            if not name.endswith("generation")
        ]
        now = timezone.now().timestamp()
        assert all(began + most - 2 <= end <= now + most for end in ends), left
        assert bool(ends) == bool(most)


def test_a_generation_that_was_forgotten_is_found_again(visit, monkeypatch):
    monkeypatch.setattr(generations, "MOST_KNOWN", 1)
    session = visit()
    session.read(KEY)
    for number in range(5):
        generations.of(number)
    found = session.read(KEY)
    assert session.replace(KEY, record(payload(1)), found)
    assert is_copied(visit)


class Down(Rows):
    """Rows of a database that does not answer."""

    def read_written(self, key: str) -> Any:
        raise ConnectionError("no database")


def test_a_reader_who_finds_no_database_gives_its_lease_back(visit, cache):
    with pytest.raises(ConnectionError):
        visit(Down(Table({}))).read(KEY)
    assert entries(cache) == set()


def test_what_is_owed_is_remembered_beside_more_places_than_are_known(monkeypatch):
    monkeypatch.setattr(generations, "MOST_KNOWN", 3)
    for key in range(10):
        generations.fell_behind(key)
    assert all(generations.of(key).is_behind for key in range(10))
    for key in range(10):
        generation = generations.of(key)
        generation.caught_up(generation.missed)
    for key in range(100, 110):
        generations.of(key)
    assert len(generations._known) <= 10


@pytest.mark.parametrize("value", [{"a": 1}, {"a": timedelta(1)}, {}], ids=str)
def test_what_is_compared_is_the_same_for_the_same_value_and_no_other(cache, value):
    adapter = CacheAdapter(cache)
    one, again = (adapter.comparable(adapter.encode(value)) for _ in range(2))
    assert one == again
    assert one != adapter.comparable(adapter.encode({**value, "b": 2}))


@pytest.mark.parametrize("form", [DjangoForm, CompactForm])
def test_a_tag_fits_no_copy_under_another_name_and_of_no_other_generation(cache, form):
    form = form(adapter_of(cache), Codec())
    copy = form.copy(payload(1), None)
    sealed = list(form.seal(form.names("name", None), copy, "generation").values())
    here, elsewhere = (
        dict(zip(form.names(name, None), sealed, strict=True)) for name in ("name", "nam")
    )
    assert form.open("name", here, "generation") is not None
    assert form.open("nam", elsewhere, "generation") is None
    assert form.open("name", here, "another") is None
