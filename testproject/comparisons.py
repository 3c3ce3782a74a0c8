"""The same code on Django's sessions and on ours, run when a visitor presses "Run".

Each function is run once for either side and says what it saw. It deletes the sessions it has made.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from inspect import getsource
from threading import Barrier, Lock

from django.contrib.sessions.backends.base import SessionBase
from django.db import connections, router
from django.db.models.signals import post_delete
from django.test.utils import CaptureQueriesContext

from dj_sessions.models import Session
from testproject import dying_cache
from testproject.sides import (
    DJANGO,
    OURS,
    Browser,
    Side,
    engine_name,
    forget,
    is_logged_in,
    log_in,
    log_out,
)

REQUESTS = 8
PATIENCE = 60  # seconds
SQL_ENGINES = {"db", "cached_db"}
METHODS = {"Create": "create", "Save": "save", "New key": "cycle_key", "Log out": "flush"}


@dataclass(frozen=True)
class Cell:
    text: str
    is_good: bool | None = None  # None: neither good nor bad
    detail: str = ""


@dataclass
class Seen:
    """What was seen on one side: in short, and for each row of the table."""

    short: str = ""
    rows: dict[str, Cell] = field(default_factory=dict)
    remark: str = ""

    def count(self, is_good: bool) -> int:
        return sum(cell.is_good is is_good for cell in self.rows.values())


def parallel_requests(side: Side) -> Seen:
    all_have_loaded = Barrier(REQUESTS, timeout=PATIENCE)

    def add_a_key(number: int) -> None:
        def view(session: SessionBase) -> None:
            session.get("key")  # loads the session
            all_have_loaded.wait()
            session[f"key {number}"] = number

        try:
            browser.request(view)
        finally:
            connections.close_all()

    def keys(session: SessionBase) -> int:
        return sum(name.startswith("key ") for name, _ in session.items())

    with Browser(side, side.engine()) as browser:
        browser.request(log_in)
        with ThreadPoolExecutor(REQUESTS) as threads:
            sent = [threads.submit(add_a_key, number) for number in range(REQUESTS)]
        failed = sum(request.exception() is not None for request in sent)
        kept = browser.request(keys)
    seen = Seen(f"kept {kept} of {REQUESTS}")
    seen.rows["Keys kept"] = Cell(f"{kept} of {REQUESTS}", kept == REQUESTS)
    seen.rows["Requests that failed"] = Cell(str(failed), failed == 0)
    return seen


def late_writes(side: Side) -> Seen:
    def save(session: SessionBase) -> None:
        session["late"] = True

    def change_the_key(session: SessionBase) -> None:
        session.cycle_key()

    seen = Seen()
    for what, write in {"It saves": save, "It changes the key": change_the_key}.items():
        with Browser(side, side.engine()) as browser:
            browser.request(log_in)
            old_cookie = browser.cookie

            def late(session: SessionBase, browser=browser, write=write) -> None:
                is_logged_in(session)  # loads the session
                browser.request(log_out)  # the other tab
                write(session)

            error = _error(lambda browser=browser, late=late: browser.request(late))
            cookies = {old_cookie, browser.cookie}
            is_back = any(
                Browser(side, side.engine(), cookie).request(is_logged_in) for cookie in cookies
            )
        text = "it is back, logged in" if is_back else "it stays ended"
        seen.rows[what] = Cell(text, not is_back, error)
    seen.short = f"brought back {seen.count(is_good=False)} of {len(seen.rows)} sessions"
    return seen


def cache_outage(side: Side) -> Seen:
    seen, logged_out = Seen(), 0
    for name, stores in dying_cache.STORES.items():
        with Browser(side, stores[side]) as browser:
            browser.request(log_in)
            with dying_cache.outage():
                seen.rows[f"{name}, during the outage"] = _visit(browser)
            afterwards = _visit(browser)
        seen.rows[f"{name}, after it"] = afterwards
        logged_out += not afterwards.is_good
    seen.short = f"logged out {logged_out} of {len(dying_cache.STORES)} visitors"
    return seen


def sql_statements(side: Side) -> Seen:
    name = engine_name() if engine_name() in SQL_ENGINES else "db"
    connection, engine = connections[router.db_for_write(Session)], side.engine(name)
    connection.ensure_connection()
    seen, total = Seen(remark=f"Counted on the {name} engine."), 0
    session, keys = engine(), []
    session["colour"] = "green"  # and no user, whose sessions this site lists as well
    for what, method in METHODS.items():
        with CaptureQueriesContext(connection) as queries:
            getattr(session, method)()
        if session.session_key:
            keys.append(session.session_key)
            session = engine(session.session_key)  # as the next request has it
            session[method] = True
        words = [query["sql"].split()[0].upper() for query in queries]
        seen.rows[what] = Cell(str(len(words)), detail=" · ".join(words))
        total += len(words)
    forget(engine, keys)
    seen.short = f"sent {total} statements"
    if post_delete.has_listeners(Session):
        seen.remark += (
            " Receivers of post_delete make Django\u2019s deletions take a transaction here."
        )
    return seen


def _visit(browser: Browser) -> Cell:
    """What the visitor is who logged in before."""
    try:
        logged_in = browser.request(is_logged_in)
    except Exception as error:  # noqa: BLE001 # which one it is, is what is looked for
        return Cell("an error", detail=type(error).__name__)
    return Cell("logged in" if logged_in else "logged out", logged_in)


def _error(act: Callable[[], object]) -> str:
    try:
        act()
    except Exception as error:  # noqa: BLE001 # which one it is, is what is looked for
        return type(error).__name__
    return ""


@dataclass(frozen=True)
class Comparison:
    """A question, what is done to answer it, and the code that does it."""

    name: str
    title: str
    what_is_done: str
    run_on: Callable[[Side], Seen]

    @property
    def code(self) -> str:
        return getsource(self.run_on)

    def run(self) -> Result:
        # In turn: runs that wait for the same database would be seen as requests that fail.
        with _one_at_a_time:
            return Result(self.run_on(DJANGO), self.run_on(OURS))


@dataclass(frozen=True)
class Result:
    django: Seen
    ours: Seen

    @property
    def sentence(self) -> str:
        return f"{DJANGO.name} {self.django.short}, {OURS.name} {self.ours.short}."

    @property
    def rows(self) -> list[tuple[str, Cell, Cell]]:
        return [(what, cell, self.ours.rows[what]) for what, cell in self.django.rows.items()]


_one_at_a_time = Lock()

COMPARISONS = [
    Comparison(
        "parallel",
        f"{REQUESTS} requests at once",
        f"{REQUESTS} requests of one browser load the session, wait at a barrier until all of them "
        "have, so that they are sure to overlap, and each add a key of their own.",
        parallel_requests,
    ),
    Comparison(
        "logout",
        "A late request after a logout",
        "A request has loaded the session, the visitor logs out in another tab, and then the "
        "request saves, or calls cycle_key(): does the session come back?",
        late_writes,
    ),
    Comparison(
        "outage",
        "A cache that dies",
        "A visitor logs in, the cache refuses connections during the next request, and then it is "
        "back. The engines are cache and cached_db, the cache is this run\u2019s own.",
        cache_outage,
    ),
    Comparison(
        "statements",
        "Statements sent to the database",
        "A session is created, saved, given a new key as at login, and flushed as at logout, "
        "while the database connection notes each statement, transactions included.",
        sql_statements,
    ),
]
