"""What not to inherit: each flaw is seen on Django's sessions, and not on these.

Every test runs on both packages; `package.shows(flaw)` asserts that Django's has the flaw and
ours has not. Where a Django later than those of SEEN_ON has mended it, Django's half is skipped.
The numbers are those of docs/flaws.md. 7, 13, 16 and 23 are left out: they are about how code is
written, which no behaviour shows.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

import django
import pytest
from asgiref.sync import async_to_sync
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.core.management import call_command
from django.core.signing import JSONSerializer
from django.db import DataError, OperationalError, connections
from django.db.models import signals
from django.http import HttpResponse
from django.test import (
    AsyncRequestFactory,
    RequestFactory,
    override_settings,
)
from django.utils import timezone

from dj_sessions.exceptions import UpdateError
from dj_sessions.storage.caches.locmem import LocMemAdapter
from dj_sessions.storage.copies import outage as outages
from dj_sessions.storage.rows.storage import RowStorage
from tests import router, services
from tests.contract.moments import after, before
from tests.contract.visits import varies_on_cookie
from tests.counters import round_trips, statements, thread_hops
from tests.docs.pages import docs
from tests.limits import full_disk

#: The releases of Django on which every flaw was seen; the page names them.
SEEN_ON = ((5, 2, 19), (6, 0, 10), (6, 1, 3))
LONG_AGO = datetime(2020, 2, 2, tzinfo=UTC)
TWO_WEEKS = 1209600


@dataclass(frozen=True)
class Package:
    """Django's sessions, or ours, with everything they need."""

    root: str
    path: Path

    @property
    def is_django(self) -> bool:
        return self.root.startswith("django.")

    def shows(self, flaw: bool) -> None:
        """Assert that the flaw is Django's and not ours; skip where a later Django mended it."""
        if self.is_django and not flaw and is_later_than_seen():
            pytest.skip(f"Django {'.'.join(map(str, django.VERSION[:3]))} has mended this flaw")
        assert flaw is self.is_django

    def store(self, engine: str) -> Any:
        store = import_module(f"{self.root}.backends.{engine}").SessionStore
        # Django's file engine remembers the first path that it has seen.
        if "_storage_path" in vars(store):
            del store._storage_path
        return store

    def saved(self, engine: str, **data: Any) -> str:
        """Store a session and return its key."""
        session = self.store(engine)()
        session.update(data)
        session.save()
        return session.session_key

    def respond(self, view: Any, engine: str = "db", cookie: str | None = None) -> HttpResponse:
        """Answer a request through the package's middleware; `view` gets the session."""

        def get_response(request: Any) -> HttpResponse:
            return HttpResponse(str(view(request.session)))

        with override_settings(SESSION_ENGINE=f"{self.root}.backends.{engine}"):
            request = RequestFactory().get("/")
            if cookie is not None:
                request.COOKIES["sessionid"] = cookie
            return self.middleware(get_response)(request)

    @property
    def middleware(self) -> Any:
        return import_module(f"{self.root}.middleware").SessionMiddleware

    def base(self) -> Any:
        return import_module(f"{self.root}.backends.base").SessionBase


def is_later_than_seen() -> bool:
    series = [seen for seen in SEEN_ON if seen[:2] == django.VERSION[:2]]
    return django.VERSION[:3] > (series or SEEN_ON[-1:])[0]


@pytest.fixture(params=["django.contrib.sessions", "dj_sessions"], ids=["django", "ours"])
def package(request, databases, fresh_caches, tmp_path) -> Iterator[Package]:
    serializer = f"{request.param}.serializers.JSONSerializer"
    with override_settings(SESSION_FILE_PATH=tmp_path, SESSION_SERIALIZER=serializer):
        yield Package(request.param, tmp_path)


@pytest.fixture
def postgres(databases) -> Iterator[None]:
    """The models live on PostgreSQL."""
    service = services.run().services["postgres"]
    if not service:
        pytest.skip(str(service))
    with router.use("postgres"):
        yield


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def run(coroutine: Any) -> Any:
    async def wait() -> Any:
        return await coroutine

    return async_to_sync(wait)()


# Written twice


def test_flaw_1_the_async_deletion_of_the_test_cookie_is_not_saved(package):
    session = package.store("db")(package.saved("db", testcookie="worked"))
    run(session.adelete_test_cookie())
    package.shows(session.modified is False)


def test_flaw_2_the_async_twins_repeat_the_bodies_of_the_sync_ones(package):
    names = (
        "get",
        "pop",
        "setdefault",
        "update",
        "get_expiry_age",
        "get_expiry_date",
        "set_expiry",
    )
    bodies = {getattr(package.base(), f"a{name}").__code__ for name in names}
    package.shows(len(bodies) == len(names))


def test_flaw_3_cached_db_asks_the_cache_in_the_event_loop(package):
    in_loop = []

    def has_key(cache, key, version=None):
        in_loop.append(asyncio._get_running_loop() is not None)
        return False

    with mock.patch.object(LocMemCache, "has_key", has_key):
        run(package.store("cached_db")().aexists("a" * 32))
    package.shows(in_loop == [True])


def test_flaw_4_the_file_engine_reads_the_disk_in_the_event_loop(package):
    store = package.store("file")
    key, in_loop = package.saved("file", colour="green"), []
    original = store._key_to_file

    def key_to_file(session, session_key=None):
        in_loop.append(asyncio._get_running_loop() is not None)
        return original(session, session_key)

    with mock.patch.object(store, "_key_to_file", key_to_file):
        for act in ("aload", "asave", "adelete"):
            run(getattr(store(key), act)())
        run(store(key).aexists(key))
    assert len(in_loop) >= 4
    package.shows(all(in_loop))
    assert any(in_loop) is all(in_loop)


def test_flaw_5_a_sync_override_is_ignored_on_the_async_path(package):
    seen = []

    class SessionStore(package.store("db")):
        def create_model_instance(self, data):
            seen.append(dict(data))
            return super().create_model_instance(data)

    session = SessionStore()
    session["colour"] = "green"
    run(session.asave())
    package.shows(seen == [])


def test_flaw_6_a_task_loses_what_another_task_of_the_request_has_set(package):
    session = package.store("db")(package.saved("db", x=0))

    async def tasks():
        await asyncio.gather(session.aset("a", 1), session.aset("b", 2))

    async_to_sync(tasks)()
    assert session["x"] == 0
    package.shows("a" not in session or "b" not in session)


# Failure turned into something else


@contextmanager
def without_cache() -> Iterator[None]:
    """Let every call of the local-memory cache fail, whoever makes it."""
    gone = ConnectionError("the cache is away")
    with mock.patch.object(LocMemCache, "make_and_validate_key", side_effect=gone):
        yield


def test_flaw_8_a_cache_that_fails_logs_the_user_out(package):
    session = package.store("cache")(package.saved("cache", colour="green"))
    with without_cache():
        try:
            colour = session.get("colour")
        except ConnectionError as error:
            colour = error
    package.shows(colour is None)
    package.shows(session.session_key is None)


def test_flaw_9_a_database_that_fails_is_called_a_deleted_session(package):
    session = package.store("db")(package.saved("db", colour="green"))
    session["colour"] = "red"

    def fail(execute, sql, params, many, context):
        if sql.startswith("UPDATE"):
            raise OperationalError("database is locked")
        return execute(sql, params, many, context)

    with (
        connections["default"].execute_wrapper(fail),
        pytest.raises(Exception) as caught,  # noqa: PT011 # which it is decides
    ):
        session.save()
    error = import_module(f"{package.root}.backends.base").UpdateError
    assert isinstance(caught.value, error | OperationalError)
    package.shows(isinstance(caught.value, error))


def test_flaw_10_a_full_disk_loses_the_save_silently(package):
    session = package.store("file")(package.saved("file", colour="green"))
    session["colour"] = "red"
    with full_disk(room=0):
        try:
            session.save()
        except OSError:
            raised = True
        else:
            raised = False
    package.shows(not raised)


class Misspelt(JSONSerializer):
    """A serializer with a bug."""

    def loads(self, data):
        return self.no_such_method(data)


def test_flaw_11_a_bug_in_a_serializer_is_an_empty_session(package):
    key = package.saved("db", colour="green")
    with override_settings(SESSION_SERIALIZER=f"{__name__}.Misspelt"):
        try:
            empty = dict(package.store("db")(key).items()) == {}
        except AttributeError:
            empty = False
    package.shows(empty)


def test_flaw_12_the_middleware_hides_a_bug_in_a_store(package):
    class SessionStore(package.store("db")):
        def is_empty(self):
            return self.no_such_method()

    def view(session):
        session["colour"] = "green"

    with mock.patch.object(
        import_module(f"{package.root}.backends.db"), "SessionStore", SessionStore
    ):
        try:
            hidden = not package.respond(view).cookies
        except AttributeError:
            hidden = False
    package.shows(hidden)


# Policy, storage and transport mixed


def test_flaw_14_the_cookie_is_deleted_with_other_attributes_than_it_was_set(package):
    key = package.saved("db", colour="green")
    with override_settings(SESSION_COOKIE_SECURE=True):
        response = package.respond(lambda session: session.flush(), cookie=key)
    assert response.cookies["sessionid"].value == ""
    package.shows(not response.cookies["sessionid"]["secure"])


def test_flaw_14_the_cookie_and_the_store_have_two_clocks(package):
    now = datetime(2040, 1, 1, 12, tzinfo=UTC)

    def view(session):
        session["colour"] = "green"

    with mock.patch("django.utils.timezone.now", return_value=now):
        response = package.respond(view)
    package.shows("15 Jan 2040 12:00:00" not in response.cookies["sessionid"]["expires"])


def test_flaw_15_an_async_request_hops_although_it_does_not_touch_the_session(package):
    """The first half of flaw 38, too."""

    async def view(request):
        return HttpResponse()

    request = AsyncRequestFactory().get("/")
    with (
        override_settings(SESSION_ENGINE=f"{package.root}.backends.db"),
        thread_hops() as hops,
    ):
        async_to_sync(package.middleware(view))(request)
    package.shows(len(hops) == 2)
    assert package.is_django or hops == []


def test_flaw_17_signed_cookies_accept_a_session_that_is_over(package):
    session = package.store("signed_cookies")()
    session["colour"] = "green"
    session.set_expiry(LONG_AGO)
    session.save()
    again = package.store("signed_cookies")(session.session_key)
    package.shows(again.get("colour") == "green")


def test_flaw_18_loading_a_session_that_is_over_changes_the_directory(package):
    key = package.saved("file", colour="green")
    age(package.path / f"sessionid{key}", TWO_WEEKS + 1)
    before = list(package.path.iterdir())
    package.store("file")(key).load()
    package.shows(list(package.path.iterdir()) != before)


def test_flaw_19_the_text_of_a_row_is_its_secret_key(package):
    base = import_module(f"{package.root}.base_session").AbstractBaseSession
    row = mock.Mock(session_key="k" * 32)
    package.shows("k" * 32 in base.__str__(row))


# Races and waste


def is_alive(package, engine, key):
    return package.store(engine)(key).get("colour") is not None


def log_out(package, engine, key):
    return lambda: package.store(engine)(key).flush()


def test_flaw_27_a_logout_while_the_cache_engine_saves_brings_the_session_back(package):
    key = package.saved("cache", colour="green")
    session = package.store("cache")(key)
    session["colour"] = "red"
    writing = (LocMemCache, "set") if package.is_django else (LocMemAdapter, "replace")
    with before(*writing, log_out(package, "cache", key)), suppress(UpdateError):
        session.save()
    package.shows(is_alive(package, "cache", key))


def test_flaw_27_a_logout_while_cached_db_reads_leaves_a_copy(package):
    key = package.saved("cached_db", colour="green")
    caches["default"].clear()
    store = package.store("cached_db")
    reading = (store, "_get_session_from_db") if package.is_django else (RowStorage, "read_written")
    with after(*reading, log_out(package, "cached_db", key)):
        assert store(key).get("colour") == "green"
    package.shows(is_alive(package, "cached_db", key))


def test_flaw_27_deleting_the_row_leaves_the_user_logged_in_from_the_cache(package):
    key = package.saved("cached_db", colour="green")
    package.store("cached_db").get_model_class().objects.filter(pk=key).delete()
    package.shows(is_alive(package, "cached_db", key))


def test_flaw_28_a_logout_without_the_cache_fails_and_does_not_hold(package):
    key = package.saved("cached_db", colour="green")
    with without_cache():
        try:
            package.store("cached_db")(key).flush()
            failed = False
        except ConnectionError:
            failed = True
    time.sleep(outages.FIRST_REST)  # for which the cache is left alone
    package.shows(failed)
    package.shows(is_alive(package, "cached_db", key))


def test_flaw_28_reading_without_the_cache_is_an_error(package):
    key = package.saved("cached_db", colour="green")
    with without_cache():
        try:
            colour = package.store("cached_db")(key).get("colour")
        except ConnectionError:
            colour = None
    package.shows(colour is None)


@pytest.mark.parametrize("engine", ["db", "cache", "cached_db", "file"])
def test_flaw_20_the_last_of_two_saves_takes_the_first_one_back(package, engine):
    key = package.saved(engine, colour="green")
    one, other = package.store(engine)(key), package.store(engine)(key)
    one["first"], other["second"] = 1, 2
    one.save()
    other.save()
    package.shows("first" not in package.store(engine)(key))


def test_flaw_21_a_new_key_is_looked_up_before_it_is_inserted(package):
    with statements() as seen:
        package.saved("db", colour="green")
    package.shows(any(sql.startswith("SELECT") for sql in seen))


def test_flaw_22_the_file_path_is_read_once_for_ever(package, tmp_path_factory):
    package.saved("file")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    store = import_module(f"{package.root}.backends.file").SessionStore
    with override_settings(SESSION_FILE_PATH=elsewhere):
        store().save()
    package.shows(list(elsewhere.iterdir()) == [])


def test_flaw_22_the_serializer_is_imported_for_every_session(package):
    with override_settings(SESSION_SERIALIZER="no.such.Serializer"):
        try:
            package.store("db")()
        except ImportError:
            imported = True
        else:
            imported = False
    package.shows(imported)


def expired_rows(package: Package, number: int) -> Any:
    model = package.store("db").get_model_class()
    model.objects.bulk_create(
        model(session_key=f"{row:032}", session_data="", expire_date=LONG_AGO)
        for row in range(number)
    )
    return model


def test_flaw_24_expired_rows_go_in_one_unbounded_delete(package):
    model = expired_rows(package, 1100)
    with (
        override_settings(SESSION_ENGINE=f"{package.root}.backends.db"),
        statements() as seen,
    ):
        call_command("clearsessions")
    assert model.objects.count() == 0
    package.shows(len([sql for sql in seen if sql.startswith("DELETE")]) == 1)


def test_flaw_36_expired_rows_go_in_one_transaction_when_somebody_listens(package):
    model, heard = expired_rows(package, 1100), []

    def listen(sender, instance, **kwargs):
        heard.append(instance.pk)

    signals.post_delete.connect(listen, sender=model)
    try:
        with statements() as seen:
            package.store("db").clear_expired()
    finally:
        signals.post_delete.disconnect(listen, sender=model)
    assert len(heard) == 1100
    package.shows(seen.count("COMMIT") == 1)


# Also reproduced


def test_flaw_25_seconds_never_end_a_session_of_the_file_engine(package):
    session = package.store("file")()
    session["colour"] = "green"
    session.set_expiry(100)
    session.save()
    age(package.path / f"sessionid{session.session_key}", 200)
    package.shows(package.store("file")(session.session_key).get("colour") == "green")


def test_flaw_26_a_write_that_was_cut_short_is_accepted(package):
    key = package.saved("file", colour="green")
    session = package.store("file")(key)
    session["size"] = 3
    with full_disk(room=20):
        try:
            session.save()
        except OSError:
            assert dict(package.store("file")(key).items()) == {"colour": "green"}
    package.shows("colour" not in package.store("file")(key))


def test_flaw_26_files_that_were_never_finished_are_never_cleared(package):
    leftovers = [f"sessionid{'a' * 32}", f"sessionid{'a' * 32}_out_abcd1234"]
    for name in leftovers:
        (package.path / name).touch()
        age(package.path / name, 10 * TWO_WEEKS)
    package.store("file").clear_expired()
    package.shows({path.name for path in package.path.iterdir()} & set(leftovers) != set())


def test_flaw_26_the_files_of_another_application_are_cleared(package):
    with override_settings(SESSION_COOKIE_NAME="sessionid2"):
        key = package.saved("file", colour="green")
    theirs = package.path / f"sessionid2{key}"
    age(theirs, TWO_WEEKS + 1)
    package.store("file").clear_expired()
    package.shows(not theirs.exists())


def test_flaw_29_a_get_that_changed_nothing_fails_when_another_tab_logs_out(package):
    key = package.saved("db", colour="green")
    interrupted = import_module(f"{package.root}.exceptions").SessionInterrupted

    def view(session):
        session.get("colour")
        package.store("db")(key).flush()

    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        try:
            package.respond(view, cookie=key)
        except interrupted:
            failed = True
        else:
            failed = False
    package.shows(failed)


def test_flaw_30_any_cookie_of_eight_characters_reaches_the_store(package):
    with statements() as seen:
        package.respond(lambda session: session.get("colour"), cookie="Not A Key!")
    package.shows(len(seen) == 1)


def test_flaw_30_a_nul_in_the_cookie_breaks_postgresql(postgres, package):
    try:
        package.respond(lambda session: session.get("colour"), cookie="aaaaaaaa\0bbbb")
    except (ValueError, DataError):
        broken = True
    else:
        broken = False
    package.shows(broken)


@pytest.mark.parametrize("read", [bool, lambda session: session.session_key], ids=["bool", "key"])
def test_flaw_31_asking_whether_there_is_a_session_sends_no_vary(package, read):
    for cookie in (package.saved("db", colour="green"), None):
        response = package.respond(read, cookie=cookie)
        package.shows(not varies_on_cookie(response))


def test_flaw_31_is_empty_is_no_access_on_either(package):
    response = package.respond(lambda session: session.is_empty())
    assert not varies_on_cookie(response)


@pytest.mark.parametrize("ask", [list, len])
def test_flaw_32_a_session_can_be_neither_iterated_nor_counted(package, ask):
    session = package.store("db")(package.saved("db", colour="green"))
    try:
        assert ask(session) in (["colour"], 1)
    except (KeyError, TypeError):
        fails = True
    else:
        fails = False
    package.shows(fails)


def test_flaw_33_cached_db_returns_other_keys_after_eviction(package):
    key = package.saved("cached_db", map={7: "seven"})
    hit = package.store("cached_db")(key)["map"]
    caches["default"].clear()
    miss = package.store("cached_db")(key)["map"]
    package.shows(hit != miss)


def test_flaw_34_what_json_cannot_hold_is_an_error_that_does_not_say_where(package):
    def view(session):
        session["cart"] = {"items": [{"added": timezone.now()}]}

    with pytest.raises(TypeError) as caught:
        package.respond(view)
    package.shows("session['cart']['items'][0]['added']" not in str(caught.value))


def test_flaw_35_a_cache_that_refuses_everything_is_asked_ten_thousand_times(package):
    with (
        override_settings(SESSION_CACHE_ALIAS="dummy"),
        mock.patch("django.core.cache.backends.dummy.DummyCache.add", return_value=False),
        round_trips() as seen,
        pytest.raises(RuntimeError, match="Unable to create a new session key"),
    ):
        package.store("cache")().create()
    package.shows(len(seen) > 10)


#: What it costs on PostgreSQL, BEGIN and COMMIT included: Django's statements, and ours.
COSTS = {
    "first save": (lambda session: session.save(), None, 4, 1),
    "load": (lambda session: session.get("colour"), "loaded", 1, 1),
    "save": (lambda session: session.save(), "loaded", 3, 1),
    "cycle_key": (lambda session: session.cycle_key(), "loaded", 6, 2),
    "flush": (lambda session: session.flush(), "loaded", 2, 1),
}


@pytest.mark.parametrize("deed", COSTS)
def test_flaw_37_the_commonest_deeds_take_too_many_statements(postgres, package, deed):
    act, before, theirs, ours = COSTS[deed]
    session = package.store("db")(package.saved("db", colour="green") if before else None)
    if before and deed != "load":
        session.get("colour")
    with statements() as seen:
        act(session)
    if package.is_django:
        package.shows(len(seen) == theirs)
    else:
        assert len(seen) == ours, seen


@pytest.mark.parametrize(
    ("engine", "deed"), [("db", "acreate"), ("db", "acycle_key"), ("cached_db", "acycle_key")]
)
def test_flaw_38_an_async_deed_hops_for_each_of_its_parts(package, engine, deed):
    session = package.store(engine)(package.saved(engine, colour="green"))
    session.get("colour")
    with thread_hops() as hops:
        run(getattr(session, deed)())
    package.shows(len(hops) != 1)


# The list itself

NUMBERED = re.compile(r"test_flaw_(\d+)_")
CVES = Path(__file__).with_name("test_cves.py")


@pytest.mark.parametrize("version", [(5, 2, 20), (6, 1, 4), (6, 2, 0), (7, 0, 1)])
def test_what_a_later_django_has_mended_is_skipped_with_its_version(monkeypatch, version):
    monkeypatch.setattr(django, "VERSION", (*version, "final", 0))
    stock, ours = (Package(root, Path()) for root in ("django.contrib.sessions", "dj_sessions"))
    with pytest.raises(pytest.skip.Exception, match="Django {}.{}.{} has".format(*version)):
        stock.shows(False)
    stock.shows(True)
    with pytest.raises(AssertionError):
        ours.shows(True)


@pytest.mark.parametrize("version", [*SEEN_ON, (5, 2, 3), (6, 1, 0)])
def test_a_flaw_that_a_test_no_longer_shows_where_it_was_seen_is_a_failure(monkeypatch, version):
    monkeypatch.setattr(django, "VERSION", (*version, "final", 0))
    with pytest.raises(AssertionError):
        Package("django.contrib.sessions", Path()).shows(False)


def test_the_page_lists_the_flaws_that_are_tested():
    page = docs("flaws").text
    listed = sorted(map(int, re.findall(r"^\| (\d+) \|", page, re.MULTILINE)))
    assert listed == sorted({int(found[1]) for found in map(NUMBERED.match, globals()) if found})
    assert "Seen on Django {}, {} and {}".format(*(".".join(map(str, v)) for v in SEEN_ON)) in page


def test_the_page_lists_the_holes_that_are_tested():
    tested = re.findall(r"^def test_cve_(\d+)_(\d+)_", CVES.read_text(), re.MULTILINE)
    listed = re.findall(r"^\| CVE-(\d+)-(\d+) \|", docs("flaws").text, re.MULTILINE)
    assert sorted(listed) == sorted(tested)
