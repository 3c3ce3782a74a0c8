"""The documentation's tables of costs are measured."""

import json
import re
from importlib import import_module

import pytest
from asgiref.sync import async_to_sync
from django.core.cache import caches
from django.db.models import signals
from django.http import HttpResponse
from django.test import AsyncRequestFactory

from dj_sessions.middleware import SessionMiddleware
from tests.benchmarks.report.plots import plot
from tests.benchmarks.results import Row
from tests.contract.costs import (
    HEARD_BY_SQLITE,
    HEARD_STATEMENTS,
    REQUEST_ROUND_TRIPS,
    REQUEST_STATEMENTS,
)
from tests.counters import nobody_listening, round_trips, statements, thread_hops
from tests.docs.pages import ROOT, docs, page

COSTS = {row.pop(""): row for row in docs("engines").sections["What does it cost?"].rows}
REQUEST = docs("engines").sections["A whole request"]
HOPS = {row.pop(""): row["Hops"] for row in docs("async").sections["What does it cost?"].rows}
# On Memcached, which takes entries one by one: the page says so below the table.
COPIES = "`cached_db`: round trips"
MORE = {
    "`cache`: round trips": {"a new key (login)": 1},
}
MORE[COPIES] = {
    "a new session": 1,
    "load, not in the cache": 1,
    "save after a load": 1,
    "a new key (login)": 1,
}
LOADED_FIRST = ("save after a load", "a new key (login)", "flush (logout)")
METHODS = {
    "a new session": "create",
    "load": "load",
    "load, not in the cache": "load",
    "save after a load": "save",
    "a new key (login)": "cycle_key",
    "flush (logout)": "flush",
}


@pytest.mark.stores("db", "cache", "cached_db")
@pytest.mark.parametrize("deed", METHODS)
def test_an_engine_costs_what_its_page_says(store, deed):
    ours = costs(store, store.engine, deed)
    django = costs(store, f"django.contrib.sessions.backends.{store.kind}", deed)
    for heading, cell in COSTS[deed].items():
        engine, what = heading.split(": ")
        # A call into the process's own memory is no round trip.
        measured = what == "statements" or store.cache != "default"
        if cell and measured and engine == f"`{store.kind}`":
            count = len(ours[what])
            if store.cache == "memcached":
                count -= MORE.get(heading, {}).get(deed, 0)
            assert cell == f"{count} ({len(django[what])})", (heading, ours, django)


def test_every_cost_on_the_page_is_measured():
    assert list(COSTS) == list(METHODS)


def test_a_request_costs_on_the_page_what_the_contract_measures():
    measured = zip(REQUEST_STATEMENTS.values(), REQUEST_ROUND_TRIPS.values(), strict=True)
    expected = [[f"{ours} ({django})" for ours, django in figures] for figures in measured]
    assert [list(row.values())[1:] for row in REQUEST.rows] == expected


def test_what_receivers_hear_of_costs_on_its_page_what_the_contract_measures():
    rows = docs("extending").sections["What has sessions go through the ORM"].rows
    counted = {METHODS[row.pop("")]: list(row.values()) for row in rows}
    assert counted == {
        deed: [f"{ours} ({django})" for ours, django in (figures, HEARD_BY_SQLITE[deed])]
        for deed, figures in HEARD_STATEMENTS.items()
    }


@pytest.mark.parametrize(
    ("deed", "phrase"),
    [
        ("a new session", "new session sends {} to the database instead of {}"),
        ("save after a load", "a save {} instead of {}"),
        ("a new key (login)", "a new key at login {} instead of {}"),
    ],
)
def test_the_readme_repeats_what_was_measured(deed, phrase):
    words = {1: "one", 2: "two", 3: "three", 4: "four", 6: "six"}
    ours, django = (words[int(n)] for n in re.findall(r"\d+", COSTS[deed]["`db`: statements"]))
    assert phrase.format(ours, django) in " ".join(page(ROOT / "README.md").text.split())


README = " ".join(page(ROOT / "README.md").text.split())
FIGURES = ("Acknowledged", "Lost", "Ended", "Revived")


def test_the_readme_repeats_the_figures_of_the_run_under_load():
    rows = {row["Store"]: row for row in docs("concurrency").sections["How it was tried"].rows}
    [written, lost] = [rows["`db-postgres`"][column].split(" / ") for column in FIGURES[:2]]
    [ended, back] = [
        rows["`cached_db-postgres-redis`"][column].split(" / ") for column in FIGURES[2:]
    ]
    assert f"{lost[0]} of the {written[0]} writes" in README
    assert f"acknowledged; here {lost[1]} of {written[1]}" in README
    assert f"{back[0]} of {ended[0]} ended sessions came back" in README
    assert f"{back[1]} of {ended[1]} in this one" in README


def test_the_readme_repeats_the_number_of_failures():
    tables = [
        docs("outages").sections[engine].rows for engine in ("db", "cache", "cached_db", "file")
    ]
    assert f"{sum(map(len, tables))} failures" in README


def test_the_page_of_reasons_repeats_the_figures_of_clearing():
    rows = docs("performance").sections["Clearing"].rows
    slowest = {row[""]: row["The slowest save beside it"] for row in rows}
    ours, django = (slowest[f"SQLite, {package}"] for package in ("dj_sessions", "Django"))
    text = " ".join(docs("why").text.split())
    seconds = int(django.removesuffix(" ms").replace(",", "")) / 1000
    assert f"it kept a save waiting for [{seconds:.1f} seconds]" in text
    assert f"the slowest save took {ours};" in text


def costs(store, engine, deed):
    if engine.startswith("django."):
        with nobody_listening(signals.post_delete):
            return measured_costs(store, engine, deed)
    return measured_costs(store, engine, deed)


def measured_costs(store, engine, deed):
    SessionStore = import_module(engine).SessionStore
    first = SessionStore()
    first.save()
    first.save()  # whatever is prepared at the first save is prepared now
    session = SessionStore()
    session["a"] = 1
    if deed != "a new session":
        session.create()
        session = SessionStore(session.session_key)
    if deed == "load, not in the cache" and store.cache:
        caches[store.cache].delete(session.cache_key)
    if deed in LOADED_FIRST:
        session["b"] = 2
    with statements(store.database) as sent, round_trips() as made:
        getattr(session, METHODS[deed])()
    return {"statements": sent, "round trips": made}


@pytest.mark.stores("db", "cache", "cached_db", "file")
@pytest.mark.parametrize("method", ["create", "save", "cycle_key", "flush", "delete", "exists"])
def test_an_async_operation_costs_as_many_hops_as_its_page_says(store, method):
    session = store.SessionStore()
    session["a"] = 1
    session.create()
    session = store.SessionStore(session.session_key)
    [said] = [hops for operations, hops in HOPS.items() if f"`a{method}()`" in operations]
    arguments = [session.session_key] if method == "exists" else []

    async def call():
        await session.aget("a")
        with thread_hops() as seen:
            await getattr(session, f"a{method}")(*arguments)
        return seen

    assert len(async_to_sync(call)()) == int(said)


async def untouched(session):
    pass


async def reads_twice(session):
    await session.aget("a")
    await session.aget("b")


async def writes(session):
    await reads_twice(session)
    await session.aset("c", 3)


@pytest.mark.stores("db", "cache", "cached_db", "file")
@pytest.mark.parametrize(
    ("view", "parts"),
    [
        (untouched, ["a request that does not touch the session"]),
        (reads_twice, ["the first access, which loads", "every further access"]),
        (
            writes,
            [
                "the first access, which loads",
                "every further access",
                "saving at the end of a request that changed the session",
            ],
        ),
    ],
)
def test_an_async_request_costs_as_many_hops_as_its_page_says(store, view, parts):
    session = store.SessionStore()
    session["a"] = 1
    session.create()
    factory = AsyncRequestFactory()
    factory.cookies["sessionid"] = session.session_key

    async def respond(request):
        await view(request.session)
        return HttpResponse()

    with thread_hops() as seen:
        async_to_sync(SessionMiddleware(respond))(factory.get("/"))
    assert len(seen) == sum(int(HOPS[part]) for part in parts)


STORES = {
    "locmem": "local memory",
    "redis": "Redis",
    "django_redis": "django-redis",
    "memcached": "Memcached",
    "sqlite": "SQLite",
    "postgres": "PostgreSQL",
    "mariadb": "MariaDB",
    "file": "files",
}


MEASURED = json.loads((ROOT / "docs/benchmarks/benchmarks.json").read_text())["rows"]


@pytest.mark.parametrize("group", sorted({row["group"] for row in MEASURED}))
def test_a_chart_shows_the_figures_that_were_measured(group):
    rows = [
        Row(**{name: value for name, value in row.items() if name != "ratio"})
        for row in MEASURED
        if row["group"] == group
    ]
    assert (ROOT / f"docs/benchmarks/{group}.svg").read_text() == plot(group, rows)


def test_whatever_the_benchmarks_found_slower_than_django_is_on_the_page():
    slower = {}
    for row in MEASURED:
        if row["group"] in ("db", "cache", "cached_db", "file") and row["ratio"]["median"] > 1.05:
            store = " and ".join(STORES[name] for name in row["store"].split("-"))
            found = f"{row['ratio']['median']:.2f}"
            slower[f"`{row['group']}`, {store}", row["operation"]] = found
    table = docs("performance").sections["Caches"].rows
    assert {(row["Store"], row["Operation"]): row["Ratio"] for row in table} == slower
