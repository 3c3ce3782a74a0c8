"""Fixtures of the suite.

`store` runs a test for every engine on every database and cache that it may have; `mode` runs it
in sync and in async. A body is written once, with sync names:

    @pytest.mark.stores("db", "cached_db", durable=True)
    def test_a_saved_value_is_there_for_the_next_request(store, mode):
        session = mode.wrap(store.SessionStore())
        session.set("colour", "green")
        session.save()
        again = mode.wrap(store.SessionStore(session.session_key))
        assert again.get("colour") == "green"

- `store.SessionStore`, `.name`, `.kind`, `.durable`, `.server_side`, `.database` and `.cache` (the
  aliases), `.path` (file). The settings that select the store are in force, its tables and caches
  are empty, models are routed to its database, and no transaction is open around the test. It is
  the only database that is open: a test of several asks for `databases` too.
- `@pytest.mark.stores(*engines, **attributes)` narrows the stores, `@pytest.mark.modes("sync")`
  the modes. A store whose server is missing is skipped with the reason.
- `mode.wrap(thing)`, `mode.client()`, `mode.url(view)`: see tests/modes.py. `user`: a user.
- `tests.counters`: `statements()`, `round_trips()`, `thread_hops()`.
- `@pytest.mark.usual_limits`: the engine `redis` waits as long as on sites. Elsewhere it is
  patient, as any process of a busy machine may stand still for a second.
- `tests.stores.in_thread(function, *args)`: call it as another request would, in a thread.
- Without a store: `databases` opens every database in autocommit and leaves it empty, and
  `tests.router.use(alias)` chooses one; `fresh_caches` gives this test cache keys of its own.
  Do not mix these with pytest-django's `db`, which wraps the test in a transaction.
"""

from __future__ import annotations

import gc
import itertools
import os
import platform
import secrets
import signal
import sqlite3
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import copy_context
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

import django
import hypothesis
import pytest
import redis
from _pytest import runner
from django.conf import settings as django_settings
from django.contrib.sessions.backends.file import SessionStore as DjangoFileStore
from django.core.cache import caches, close_caches
from django.core.signals import request_finished
from django.db import connections
from django.test import override_settings
from django.test.utils import setup_databases, teardown_databases
from django_valkey.base import close_async_caches

from dj_sessions import conf
from dj_sessions._codec import log_rate
from dj_sessions._metrics import recording
from dj_sessions._session import contention
from dj_sessions.backends import cached_db
from dj_sessions.registry import register, registries
from dj_sessions.storage.copies import generations
from dj_sessions.storage.copies import outage as outages
from dj_sessions.storage.redis import clients as redis_clients
from dj_sessions.storage.redis import server as redis_server
from dj_sessions.storage.rows import ends
from tests import redis_servers, router, services
from tests.clock import Clock
from tests.databases import empty_tables, only
from tests.modes import MODES, Mode
from tests.patience import PATIENCE
from tests.settings import WITH
from tests.stores import CASES, MOVING, Case, Store

# Imported, it has Django close the caches by an async receiver alone, which no response in an event
# loop can call: so it is imported here, and that is undone.
request_finished.disconnect(close_async_caches)
request_finished.connect(close_caches)

# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

pytest_plugins = ["tests.sampling"]
TESTS = Path(__file__).parent
#: The settings that say that sessions have no limits.
NO_LIMITS = dict.fromkeys(conf._LIMITS)
#: The tests that are made with sessions that move as well.
WITH_MOVING = {
    *("test_lifecycle", "test_conflicts", "test_interleaving", "test_contention", "test_moved"),
    *("test_baseline", "test_expiry", "test_limits", "test_candidates", "test_signals"),
    *("test_event_loop", "test_contract", "test_listing", "test_ending", "test_faults"),
}
#: The engines of sites that keep their sessions in a dictionary of the class.
KEPT_IN_A_DICTIONARY = [
    f"tests.subclasses.engines.{imports}{name}"
    for imports in ("", "on_django_")
    for name in ("memory", "native", "native_stored", "stored")
]
#: Whose tests have a mark, by which a run leaves them out or has a share of them.
MARKS = {
    # The browser, the benchmarks, processes that fight over sessions, stores that fail.
    "slow": {"browser", "benchmarks", "stress", "outages"},
    # Comparisons with Django, models and engines of sites, clearing, examples of the docs, counters
    # of servers with several processes, every order of what requests do to copies.
    "thorough": {
        *("differential", "interop", "subclasses", "clearing", "docs", "metrics"),
        "copies/test_interleavings.py",
    },
}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "stores(*engines, **attributes): the stores that it is for")
    config.addinivalue_line("markers", "modes(*names): the modes that it is for")
    config.addinivalue_line("markers", "usual_limits: with the limits of the engine redis")
    for name, places in MARKS.items():
        line = f"{name}: every test in {', '.join(sorted(places))}"
        config.addinivalue_line("markers", line)
    missing = services.run().missing
    if missing and os.environ.get("REQUIRE_SERVICES", "0") not in ("", "0"):
        reasons = "".join(f"\n  {service}" for service in missing)
        raise pytest.UsageError(f"REQUIRE_SERVICES is set, but not every server is here:{reasons}")
    if os.environ.get("REQUIRE_INSTALLED") and not _package_home().is_relative_to(_site_packages()):
        raise pytest.UsageError(f"the package under test is {_package_home()}, not installed")
    # A terminated run stops its servers, as an interrupted one does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_report_header() -> list[str]:
    return [
        f"python {platform.python_version()}, django {django.get_version()}, "
        f"sqlite {sqlite3.sqlite_version}, slot {services.run().slot}",
        f"{django_settings.SESSIONS_ROOT} from {_package_home()}",
        *map(str, services.run().services.values()),
    ]


def _package_home() -> Path:
    return Path(str(import_module(django_settings.SESSIONS_ROOT).__file__)).parent


def _site_packages() -> Path:
    return Path(sysconfig.get_path("purelib"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "store" in metafunc.fixturenames:
        cases = (*CASES, MOVING) if metafunc.definition.path.stem in WITH_MOVING else CASES
        chosen = [case for case in cases if _is_chosen(case, metafunc.definition)]
        metafunc.parametrize("store", chosen, ids=lambda case: case.name, indirect=True)
    if "mode" in metafunc.fixturenames:
        names = {n for mark in metafunc.definition.iter_markers("modes") for n in mark.args}
        modes = [mode for mode in MODES if not names or mode.name in names]
        metafunc.parametrize("mode", modes, ids=lambda mode: mode.name, indirect=True)


def _is_chosen(case: Case, item: Any) -> bool:
    return all(
        (not mark.args or case.engine in mark.args)
        and all(getattr(case, name) in _either(value) for name, value in mark.kwargs.items())
        for mark in item.iter_markers("stores")
    )


def _either(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


@pytest.hookimpl(tryfirst=True)  # before pytest selects by marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        path = item.path.relative_to(TESTS)
        for name, places in MARKS.items():
            if any(map(path.is_relative_to, places)):
                item.add_marker(name)


def pytest_collection_finish() -> None:
    # The tests themselves are never garbage, and so many that a full collection takes a third of a
    # second while it looks at them.
    gc.collect()
    gc.freeze()


def pytest_sessionstart() -> None:
    caches.all()  # made outside the contexts of the tests, so that all tests have the same


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run each test in a context of its own.

    Each override of CACHES makes Django start a new set of connections in a context variable that
    lives on, and asgiref copies all of those in every call: the thousandth test would be ten times
    as slow as the first.
    """
    return copy_context().run(_run_with_its_own_caches, item, nextitem)


def _run_with_its_own_caches(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    ours = caches._connections
    with _pools_of_redis() as pools:
        try:
            return runner.pytest_runtest_protocol(item, nextitem)
        finally:
            if caches._connections is not ours:
                caches.close_all()
                caches._connections = ours
            for pool in pools:
                pool.disconnect()


@contextmanager
def _pools_of_redis() -> Iterator[list[redis.ConnectionPool]]:
    """Collect the pools that are made: Django's cache closes none.

    Garbage is finalized in any order, and Python warns of a socket that goes before its connection.
    """
    pools: list[redis.ConnectionPool] = []
    make = redis.ConnectionPool.__init__

    def note(self: redis.ConnectionPool, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        pools.append(self)

    with mock.patch.object(redis.ConnectionPool, "__init__", note):
        yield pools


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    case = item.callspec.params.get("store") if hasattr(item, "callspec") else None
    if isinstance(case, Case) and case.missing:
        # From here and not by a mark or a fixture: these count as skipped at the test's own line,
        # and the summary would have a line for each test instead of one for each reason.
        pytest.skip(case.missing)


@pytest.fixture(scope="session")
def make_databases(
    request: pytest.FixtureRequest,
    django_test_environment: None,
    django_db_blocker: Any,
    django_db_modify_db_settings: None,
) -> Iterator[Callable[[Iterable[str]], None]]:
    """Make the test databases of these aliases, each once and when it is first needed."""
    verbosity = request.config.option.verbose
    made: dict[str, Any] = {}

    def make(aliases: Iterable[str]) -> None:
        for alias in set(aliases) - made.keys():
            with django_db_blocker.unblock():
                made[alias] = setup_databases(
                    verbosity, interactive=False, aliases=[alias], serialized_aliases=set()
                )

    yield make
    with django_db_blocker.unblock():
        for created in made.values():
            teardown_databases(created, verbosity)


@pytest.fixture(scope="session")
def django_db_setup(make_databases: Callable[[Iterable[str]], None]) -> None:
    """Every test database, for `databases` and for the fixtures of pytest-django."""
    make_databases(connections)


@pytest.fixture
def databases(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Every database open and in autocommit; each test finds them empty and leaves them so."""
    with django_db_blocker.unblock():
        yield
        empty_tables(connections)


@pytest.fixture
def open_database(
    request: pytest.FixtureRequest,
    make_databases: Callable[[Iterable[str]], None],
    django_db_blocker: Any,
) -> Callable[[str], AbstractContextManager[None]]:
    """Open one database as `databases` opens all, unless that has; the others are refused."""
    if "databases" in request.fixturenames:
        request.getfixturevalue("databases")
        return lambda alias: nullcontext()

    @contextmanager
    def opened(alias: str) -> Iterator[None]:
        make_databases([alias])
        with django_db_blocker.unblock(), only(alias):
            yield
            empty_tables([alias])

    return opened


@pytest.fixture(scope="session")
def cache_prefixes() -> Iterator[Iterator[str]]:
    """Prefixes that no other test or run uses; what stands under them on Redis goes at the end."""
    ours = f"djs{secrets.token_hex(4)}"
    yield (f"{ours}n{number}" for number in itertools.count())
    if "redis" in django_settings.CACHES:
        with redis.Redis.from_url(django_settings.CACHES["redis"]["LOCATION"]) as client:
            for key in client.scan_iter(f"*{ours}*", count=1000):
                client.unlink(key)


@pytest.fixture
def fresh_caches(cache_prefixes: Iterator[str]) -> Iterator[str]:
    """Caches that nobody has written to, without clearing what others keep on those servers."""
    prefix = next(cache_prefixes)
    with _key_prefix(prefix):
        yield prefix
        caches["default"].clear()


@contextmanager
def _key_prefix(prefix: str) -> Iterator[None]:
    # In place, as an override of CACHES would have every test connect anew.
    configurations = django_settings.CACHES
    before = {alias: values["KEY_PREFIX"] for alias, values in configurations.items()}
    _set_key_prefixes(configurations, dict.fromkeys(before, prefix))
    yield
    _set_key_prefixes(configurations, before)


def _set_key_prefixes(configurations: dict[str, Any], prefixes: dict[str, str]) -> None:
    for alias, prefix in prefixes.items():
        configurations[alias]["KEY_PREFIX"] = prefix
        caches[alias].key_prefix = prefix


@pytest.fixture
def store(
    request: pytest.FixtureRequest,
    open_database: Callable[[str], AbstractContextManager[None]],
    fresh_caches: str,
) -> Iterator[Store]:
    case: Case = request.param
    path = request.getfixturevalue("tmp_path") if case.engine == "file" else None
    chosen = Store(case, path)
    values: dict[str, Any] = {"SESSION_ENGINE": chosen.engine, "SESSION_FILE_PATH": path}
    if chosen.cache:
        values["SESSION_CACHE_ALIAS"] = chosen.cache
    if case.engine == "moving":
        values["SESSION_MOVE"] = {
            "FROM": "dj_sessions.backends.db",
            "TO": "dj_sessions.backends.redis",
        }
    if case.needs_redis:
        values["SESSION_REDIS"] = redis_servers.needed(lambda: redis_servers.place(WITH)) | {
            "PREFIX": f"{fresh_caches}:",
            "OPTIONS": redis_servers.PATIENT,
        }
    with (
        open_database(chosen.database),
        override_settings(**values),
        router.use(chosen.database),
    ):
        if "_storage_path" in vars(chosen.SessionStore):
            # Django's own file engine remembers the first path that it has seen.
            del chosen.SessionStore._storage_path
        yield chosen


@pytest.fixture(autouse=True)
def _knows_of_no_outage() -> None:
    """Have each test begin as a new process does: it owes no cache anything."""
    generations._known.clear()
    outages._outages.clear()


@pytest.fixture
def mode(request: pytest.FixtureRequest) -> Mode:
    return request.param


@pytest.fixture
def user(request: pytest.FixtureRequest) -> Any:
    """Ada, password "secret", in the store's database."""
    from django.contrib.auth import get_user_model

    request.getfixturevalue("store" if "store" in request.fixturenames else "databases")
    return get_user_model().objects.create_user("ada", "ada@example.com", "secret")


@pytest.fixture(params=[False, True], ids=["changed only", "every request"])
def save_every_request(request: pytest.FixtureRequest, settings: Any) -> bool:
    """Whether each request saves the session: once as by default, once with it."""
    settings.SESSION_SAVE_EVERY_REQUEST = request.param
    return bool(request.param)


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Stop the clock, which the test moves on."""
    clock = Clock()
    with clock.running():
        yield clock


@pytest.fixture
def no_limits() -> Iterator[dict[str, None]]:
    """Sessions without limits, also in a run with SESSIONS_WITH=limits; the settings to say so."""
    with override_settings(**NO_LIMITS):
        yield NO_LIMITS


@pytest.fixture
def no_encryption() -> Iterator[None]:
    """Sessions as JSON, also in a run with SESSIONS_WITH=encryption."""
    with override_settings(SESSION_SERIALIZER="dj_sessions.serializers.JSONSerializer"):
        yield


@pytest.fixture(autouse=True)
def only_tests_that_ask_for_it_have_a_list_of_users_sessions() -> Iterator[None]:
    """The registry that the app has registered is told of sessions where `listed` is asked for."""
    before = list(registries)
    registries.clear()
    yield
    registries[:] = before


@pytest.fixture
def unlisted(only_tests_that_ask_for_it_have_a_list_of_users_sessions: None) -> None:
    """Have no session listed, also in a run with SESSIONS_WITH=user_sessions."""
    registries.clear()


@pytest.fixture
def listed(only_tests_that_ask_for_it_have_a_list_of_users_sessions: None) -> Any:
    """Have users' sessions listed, as in a process that has just started; returns UserSession."""
    from dj_sessions.user_sessions import seen
    from dj_sessions.user_sessions.models import UserSession
    from dj_sessions.user_sessions.registry import registry

    register(registry)
    seen.forget()
    return UserSession


@pytest.fixture(autouse=True)
def nobody_listens_to_the_rows_of_the_next_test() -> Iterator[None]:
    """The cached_db stores of a test hear of deleted rows, and tell their caches."""
    yield
    cached_db._watching.clear()
    ends.audiences.clear()


@pytest.fixture(autouse=True)
def engines_that_keep_sessions_in_a_dictionary_begin_empty() -> None:
    """What one test leaves in the class of such an engine is not there for the next."""
    for name in KEPT_IN_A_DICTIONARY:
        if module := sys.modules.get(name):
            module.SessionStore.records.clear()


@pytest.fixture(autouse=True)
def django_looks_again_for_the_directory_of_its_files() -> Iterator[None]:
    """Django's file engine remembers SESSION_FILE_PATH for as long as the process lives."""
    yield
    if "_storage_path" in vars(DjangoFileStore):
        del DjangoFileStore._storage_path


@pytest.fixture(autouse=True)
def each_test_has_its_own_minute_of_log_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of corrupt sessions, and of counters that fail, a process logs so many in a minute."""
    monkeypatch.setattr(log_rate, "corruptions", log_rate.LogRate())
    monkeypatch.setattr(recording, "_failures", log_rate.LogRate())


@pytest.fixture(autouse=True)
def nobody_waits_long_for_a_save_that_waits_for_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test does between two storage calls of a save waits for the turn of that save."""
    monkeypatch.setattr(contention, "TURN_TIMEOUT", 0.02)


@pytest.fixture(autouse=True)
def a_redis_may_take_its_time(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server, or this process, may stand still: only `usual_limits` has sessions fail then."""
    if request.node.get_closest_marker("usual_limits"):
        return
    for name in redis_clients.TIMEOUTS:
        monkeypatch.setitem(redis_clients.TIMEOUTS, name, redis_servers.PATIENT[name])
    monkeypatch.setattr(redis_clients, "NODE_TIMEOUT", redis_servers.PATIENT["socket_timeout"])
    for module in (redis_clients, redis_server):
        monkeypatch.setattr(module, "LIMIT", PATIENCE)
