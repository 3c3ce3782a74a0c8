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
  are empty, models are routed to its database, and no transaction is open around the test.
- `@pytest.mark.stores(*engines, **attributes)` narrows the stores, `@pytest.mark.modes("sync")`
  the modes. A store whose server is missing is skipped with the reason.
- `mode.wrap(thing)`, `mode.client()`, `mode.url(view)`: see tests/modes.py. `user`: a user.
- `tests.counters`: `statements()`, `round_trips()`, `thread_hops()`.
- `tests.stores.in_thread(function, *args)`: call it as another request would, in a thread.
- Without a store: `databases` opens every database in autocommit and leaves it empty, and
  `tests.router.use(alias)` chooses one; `fresh_caches` gives this test cache keys of its own.
  Do not mix these with pytest-django's `db`, which wraps the test in a transaction.
"""

from __future__ import annotations

import itertools
import os
import platform
import secrets
import signal
import sqlite3
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import django
import hypothesis
import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.sessions.backends.file import SessionStore as DjangoFileStore
from django.core.cache import caches, close_caches
from django.core.signals import request_finished
from django.db import connections, transaction
from django.test import override_settings
from django.test.utils import setup_databases, teardown_databases
from django_valkey.base import close_async_caches

from dj_sessions._codec import log_rate
from dj_sessions._session import contention
from dj_sessions.backends import cached_db
from dj_sessions.storage.rows import ends
from tests import router, services
from tests.modes import MODES, Mode
from tests.stores import CASES, Case, Store

# Imported, it has Django close the caches by an async receiver alone, which no response in an event
# loop can call: so it is imported here, and that is undone.
request_finished.disconnect(close_async_caches)
request_finished.connect(close_caches)

# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

WRITTEN_BY_MIGRATE = {"django_content_type", "auth_permission"}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "stores(*engines, **attributes): the stores that it is for")
    config.addinivalue_line("markers", "modes(*names): the modes that it is for")
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
        chosen = [case for case in CASES if _is_chosen(case, metafunc.definition)]
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


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    case = item.callspec.params.get("store") if hasattr(item, "callspec") else None
    if isinstance(case, Case) and case.missing:
        # From here and not by a mark or a fixture: these count as skipped at the test's own line,
        # and the summary would have a line for each test instead of one for each reason.
        pytest.skip(case.missing)


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest,
    django_test_environment: None,
    django_db_blocker: Any,
    django_db_modify_db_settings: None,
) -> Iterator[None]:
    """Every test database, as `store` routes to all of them without pytest-django's mark."""
    verbosity = request.config.option.verbose
    with django_db_blocker.unblock():
        created = setup_databases(verbosity, interactive=False, serialized_aliases=set())
    yield
    with django_db_blocker.unblock():
        teardown_databases(created, verbosity)


@pytest.fixture
def databases(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Every database open and in autocommit; each test finds them empty and leaves them so."""
    with django_db_blocker.unblock():
        yield
        _empty_tables()


def _empty_tables() -> None:
    for connection in connections.all():
        # Asked first: most tests write to one database or none, and a deletion costs a commit.
        if tables := _written_tables(connection):
            with (
                connection.constraint_checks_disabled(),
                transaction.atomic(using=connection.alias),
                connection.cursor() as cursor,
            ):
                for table in tables:
                    cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")


def _written_tables(connection: Any) -> list[str]:
    # Every model anew each time, as tests install apps of their own.
    models = apps.get_models(include_auto_created=True)
    tables = {model._meta.db_table for model in models} - WRITTEN_BY_MIGRATE
    questions = (
        f"SELECT '{table}' FROM (SELECT 1 AS one) AS row_of_one"
        f" WHERE EXISTS (SELECT 1 FROM {connection.ops.quote_name(table)})"
        for table in sorted(tables)
    )
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(questions))
        return [table for (table,) in cursor.fetchall()]


@pytest.fixture(scope="session")
def cache_prefixes() -> Iterator[Iterator[str]]:
    """Prefixes that no other test or run uses; what stands under them on Redis goes at the end."""
    ours = f"djs{secrets.token_hex(4)}"
    yield (f"{ours}n{number}" for number in itertools.count())
    if "redis" in django_settings.CACHES:
        import redis

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
    # In place: each override of CACHES makes Django start a new set of connections in context
    # variables that live on, and asgiref copies all of those in every call, so that the thousandth
    # test would be ten times as slow as the first.
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
def store(request: pytest.FixtureRequest, databases: None, fresh_caches: str) -> Iterator[Store]:
    case: Case = request.param
    path = request.getfixturevalue("tmp_path") if case.engine == "file" else None
    chosen = Store(case, path)
    values: dict[str, Any] = {"SESSION_ENGINE": chosen.engine, "SESSION_FILE_PATH": path}
    if chosen.cache:
        values["SESSION_CACHE_ALIAS"] = chosen.cache
    with override_settings(**values), router.use(chosen.database):
        if "_storage_path" in vars(chosen.SessionStore):
            # Django's own file engine remembers the first path that it has seen.
            del chosen.SessionStore._storage_path
        yield chosen


@pytest.fixture
def mode(request: pytest.FixtureRequest) -> Mode:
    return request.param


@pytest.fixture
def user(databases: None, request: pytest.FixtureRequest) -> Any:
    """Ada, password "secret", in the store's database."""
    from django.contrib.auth import get_user_model

    if "store" in request.fixturenames:
        request.getfixturevalue("store")
    return get_user_model().objects.create_user("ada", "ada@example.com", "secret")


@pytest.fixture(params=[False, True], ids=["changed only", "every request"])
def save_every_request(request: pytest.FixtureRequest, settings: Any) -> bool:
    """Whether each request saves the session: once as by default, once with it."""
    settings.SESSION_SAVE_EVERY_REQUEST = request.param
    return bool(request.param)


@pytest.fixture(autouse=True)
def nobody_listens_to_the_rows_of_the_next_test() -> Iterator[None]:
    """The cached_db stores of a test hear of deleted rows, and tell their caches."""
    yield
    cached_db._watching.clear()
    ends.audiences.clear()


@pytest.fixture(autouse=True)
def django_looks_again_for_the_directory_of_its_files() -> Iterator[None]:
    """Django's file engine remembers SESSION_FILE_PATH for as long as the process lives."""
    yield
    if "_storage_path" in vars(DjangoFileStore):
        del DjangoFileStore._storage_path


@pytest.fixture(autouse=True)
def each_test_has_its_own_minute_of_log_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of corrupt sessions a process logs so many in a minute."""
    monkeypatch.setattr(log_rate, "corruptions", log_rate.LogRate())


@pytest.fixture(autouse=True)
def nobody_waits_long_for_a_save_that_waits_for_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test does between two storage calls of a save waits for the turn of that save."""
    monkeypatch.setattr(contention, "TURN_TIMEOUT", 0.02)
