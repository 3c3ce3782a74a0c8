"""``manage.py sessioncheck`` and the health URL: does the store keep sessions, and if not, why?"""

from __future__ import annotations

import io
import json
import os
import signal
import time
from contextlib import contextmanager
from importlib import import_module

import pytest
import redis
from django.conf import settings
from django.core.cache import caches
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections
from django.test import Client, override_settings
from django.urls import include, path

from dj_sessions._health import examination, facts, probe
from dj_sessions._health.remedies import problem_of
from dj_sessions.models import Session
from dj_sessions.signals import session_key_refused
from dj_sessions.storage.rows.storage import RowStorage
from tests import redis_servers, router
from tests.counters import statements
from tests.patience import PATIENCE

STEPS = ["look up", "create", "read", "save"]
COMPARED = [*STEPS, "compare and lose", "merge", "change key", "end", "come late"]
IN_THE_COOKIE = ["create", "read", "save"]
#: A port on which nobody listens.
NOBODY = "redis://127.0.0.1:1/0"

urlpatterns = [path("session/", include("dj_sessions.urls"))]


@pytest.fixture(autouse=True)
def a_busy_machine_takes_its_time(monkeypatch):
    """That is no clock that goes wrong, nor a store that does not end what it is asked."""
    monkeypatch.setattr(facts, "SKEW", 30)
    monkeypatch.setattr(examination, "GRACE", PATIENCE)
    monkeypatch.setattr(probe, "FRESH", PATIENCE)


def checked(**options):
    """The outcome as JSON has it, and what the command has raised, if anything."""
    out, error = io.StringIO(), None
    try:
        call_command("sessioncheck", stdout=out, json=True, **options)
    except CommandError as raised:
        error = raised
    return json.loads(out.getvalue()), error


def codes(report):
    return [problem["code"] for problem in report["problems"]]


def left_in(store, prefix):
    """What there is of the test's sessions, anywhere that can be listed."""
    rows = connections[store.database].cursor()
    rows.execute("SELECT session_key FROM django_session")
    found = [key for (key,) in rows.fetchall()]
    if store.path:
        found += [each.name for each in store.path.iterdir()]
    found += list(caches["default"]._cache)
    if "redis" in settings.CACHES:
        with redis.Redis.from_url(settings.CACHES["redis"]["LOCATION"]) as client:
            found += [name.decode() for name in client.scan_iter(f"*{prefix}:*")]
    # Of cached_db stays what says that there is no copy.
    return [each for each in found if not each.endswith(("/tag", "/generation"))]


def test_the_store_works_in_both_modes_and_nothing_is_left(store, fresh_caches):
    report, error = checked()
    assert error is None
    assert report["works"]
    for name in ("sync", "async"):
        assert list(report["milliseconds"][name]) == (
            COMPARED if store.server_side else IN_THE_COOKIE
        )
    if store.server_side:
        storage = store.SessionStore()._storage
        assert report["abilities"]["atomic_replace"] == storage.atomic_replace
        assert report["abilities"]["async_native"] == store.is_native
    assert left_in(store, fresh_caches) == []


@pytest.mark.stores("db", "redis")
@pytest.mark.parametrize("forms", [["hashed"], ["hashed", "plain"]])
def test_it_works_with_all_that_can_be_on(store, fresh_caches, forms, listed):
    with override_settings(
        SESSION_KEY_STORAGE=forms,
        SESSION_SERIALIZER="dj_sessions.serializers.EncryptedJSONSerializer",
        SESSION_IDLE_AGE=900,
        SESSION_ANONYMOUS_AGE=30,
    ):
        report, error = checked()
    assert (error, report["works"]) == (None, True)
    assert left_in(store, fresh_caches) == []
    assert not listed.objects.exists()


@pytest.mark.parametrize("engine", ["db", "cache", "file"])
def test_an_engine_of_django_is_tried_as_far_as_it_goes(databases, fresh_caches, tmp_path, engine):
    name = f"django.contrib.sessions.backends.{engine}"
    with override_settings(SESSION_ENGINE=name, SESSION_FILE_PATH=tmp_path):
        report, error = checked()
    assert (error, report["storage"]) == (None, "")
    assert set(report["skipped"]) == {"compare and lose", "merge"}
    assert set(report["milliseconds"]["async"]) == {*COMPARED} - set(report["skipped"])
    assert not Session.objects.exists()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["native", "native_stored", "memory"])
def test_an_engine_of_a_site_is_tried_in_the_modes_that_it_has(databases, name):
    engine = f"tests.subclasses.engines.{name}"
    with override_settings(SESSION_ENGINE=engine):
        report, error = checked()
    assert (error, report["works"]) == (None, True)
    assert ("all in sync" in report["skipped"]) == (name != "memory")
    assert list(report["milliseconds"]) == (["async"] if name != "memory" else ["sync", "async"])
    assert not import_module(engine).SessionStore.records


@pytest.mark.stores("db", database="sqlite")
@pytest.mark.parametrize("phase", ["prepare", "move"])
def test_it_works_while_sessions_move(store, fresh_caches, tmp_path, phase):
    move = {"FROM": store.engine, "TO": "dj_sessions.backends.file", "PHASE": phase}
    with override_settings(
        SESSION_ENGINE="dj_sessions.backends.moving", SESSION_MOVE=move, SESSION_FILE_PATH=tmp_path
    ):
        report, error = checked()
    assert (error, report["problems"]) == (None, [])
    assert (report["storage"], report["evicts"]) == (
        "MovingStorage from RowStorage to FileStorage",
        "no",
    )
    assert left_in(store, fresh_caches) == []
    assert not list(tmp_path.iterdir())


@pytest.mark.stores("db", "file", database=(None, "sqlite"))
def test_nothing_is_left_by_ctrl_c(store, fresh_caches, monkeypatch):
    def interrupt(*arguments):
        assert left_in(store, fresh_caches)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(facts, "measure_lag", interrupt)
    with pytest.raises(CommandError, match=r"SIGINT\. Nothing is left") as raised:
        call_command("sessioncheck", stdout=io.StringIO())
    assert raised.value.returncode == 130
    assert left_in(store, fresh_caches) == []


@pytest.mark.stores("db", database="sqlite")
def test_nothing_is_left_by_an_error_or_by_a_store_that_takes_too_long(
    store, fresh_caches, monkeypatch
):
    def fail(*arguments):
        raise OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(RowStorage, "replace", fail)
        report, error = checked()
    assert codes(report) == ["database"]
    assert "disk I/O error" in report["problems"][0]["what"]
    assert error.returncode == 1
    monkeypatch.setattr(facts, "measure_lag", lambda *arguments: time.sleep(0.3))
    report, error = checked(timeout=0.1)
    assert codes(report) == ["late"]
    assert not report["works"]
    assert left_in(store, fresh_caches) == []


@pytest.mark.stores("db", database="sqlite")
def test_what_cannot_be_removed_is_told(store, monkeypatch):
    def fail(*arguments):
        raise OperationalError("disk I/O error")

    monkeypatch.setattr(RowStorage, "remove", fail)
    report, error = checked()
    assert sorted(codes(report)) == ["database", "left-behind"]
    assert error.returncode == 1
    assert Session.objects.exists()


# Remedies


@pytest.mark.stores("db", database="sqlite")
def test_a_missing_table(store):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_session RENAME TO elsewhere")
        try:
            report, error = checked()
        finally:
            cursor.execute("ALTER TABLE elsewhere RENAME TO django_session")
    assert codes(report) == ["missing-table"]
    assert "manage.py migrate --database=default" in report["problems"][0]["remedy"]
    assert "does not work" in str(error)


@contextmanager
def nobody():
    """Be somebody who may do nothing in particular, where the tests are root."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.stores("file")
def test_a_directory_without_permission(store):
    store.path.chmod(0o500)
    with nobody():
        report, error = checked()
    store.path.chmod(0o700)
    assert error
    assert codes(report)[0] == "dj_sessions.E018"
    assert "let the server write there" in report["problems"][0]["remedy"]


@pytest.mark.parametrize("engine", ["redis", "cache"])
def test_a_redis_that_runs_no_scripts(databases, fresh_caches, engine):
    server = redis_servers.needed(redis_servers.restricted)
    url = f"redis://plain:secret@127.0.0.1:{server.port}/0"
    backend = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}
    with override_settings(
        SESSION_ENGINE=f"dj_sessions.backends.{engine}",
        SESSION_REDIS={"URL": url, "OPTIONS": redis_servers.PATIENT},
        CACHES={"default": backend},
    ):
        report, error = checked()
    code = {"redis": "dj_sessions.W079", "cache": "no-scripts"}[engine]
    assert (error, codes(report)) == (None, [code])
    assert "+evalsha" in report["problems"][0]["remedy"]


@pytest.mark.parametrize("engine", ["redis", "cache", "moving"])
def test_a_redis_that_evicts(databases, fresh_caches, engine):
    server = redis_servers.needed(redis_servers.restricted)
    url = f"redis://127.0.0.1:{server.port}/0"
    backend = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}
    with (
        redis.Redis(port=server.port) as client,
        override_settings(
            SESSION_ENGINE=f"dj_sessions.backends.{engine}",
            SESSION_MOVE={"FROM": "dj_sessions.backends.db", "TO": "dj_sessions.backends.redis"},
            SESSION_REDIS={"URL": url, "OPTIONS": redis_servers.PATIENT},
            CACHES={"default": backend},
        ),
    ):
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            report, error = checked(strict=True)
        finally:
            client.config_set("maxmemory-policy", "noeviction")
        quiet, _ = checked(strict=True)
    code = "evicts" if engine == "cache" else "dj_sessions.W078"
    assert (codes(report), report["evicts"]) == ([code], "yes: allkeys-lru")
    assert "--strict" in str(error)
    assert (codes(quiet), quiet["evicts"]) == ([], "no")


@pytest.mark.parametrize(
    ("engine", "code"),
    [("redis", "dj_sessions.E077"), ("cache", "unreachable"), ("cached_db", "no-copies")],
)
def test_a_redis_that_does_not_answer(engine, code, databases):
    backend = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": NOBODY}
    with override_settings(
        SESSION_ENGINE=f"dj_sessions.backends.{engine}",
        SESSION_REDIS={"URL": NOBODY},
        CACHES={"default": backend},
    ):
        report, _ = checked()
    assert codes(report) == [code]
    assert report["works"] == (engine == "cached_db")
    assert "correct its address" in report["problems"][0]["remedy"]


@pytest.mark.parametrize(
    "where",
    [
        {"SENTINEL": {"SENTINELS": ["127.0.0.1:1"], "SERVICE": "sessions"}},
        {"CLUSTER": ["127.0.0.1:1"]},
    ],
)
def test_sentinels_and_a_cluster_that_do_not_answer(where):
    engine = "dj_sessions.backends.redis"
    with override_settings(SESSION_ENGINE=engine, SESSION_REDIS=where):
        problem = examination.looked_up()
    assert (problem.code, problem.remedy) == ("unreachable", "Start Redis, or correct its address.")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (redis.exceptions.ClusterDownError("CLUSTERDOWN"), "unreachable"),
        (redis.exceptions.MasterDownError("MASTERDOWN"), "unreachable"),
        (redis.exceptions.SlotNotCoveredError("Slot 1"), "unreachable"),
        (redis.AuthenticationError("WRONGPASS"), "refused"),
        (redis.exceptions.AuthorizationError("NOAUTH"), "refused"),
        (redis.exceptions.NoPermissionError("NOPERM"), "refused"),
        (redis.exceptions.OutOfMemoryError("OOM"), "full"),
    ],
)
def test_what_redis_raises_is_told_by_what_it_means(error, code):
    assert problem_of(error, None).code == code


def test_a_question_in_an_error_is_not_followed_by_a_full_stop():
    error = redis.ConnectionError("Connection refused.\nIs the server running?\n")
    assert problem_of(error, None).what.endswith("Connection refused. Is the server running?")


def test_a_cache_that_keeps_nothing(databases):
    engine = {"SESSION_ENGINE": "dj_sessions.backends.cache", "SESSION_CACHE_ALIAS": "dummy"}
    with override_settings(**engine):
        report, error = checked()
    assert codes(report)[0] == "dj_sessions.W009"
    assert not report["works"]
    assert error


@pytest.mark.stores("cache", cache="locmem")
def test_a_cache_that_each_worker_has_for_itself(store):
    report, error = checked()
    assert (error, codes(report)) == (None, ["dj_sessions.W016"])
    with pytest.raises(CommandError, match="--strict"):
        call_command("sessioncheck", strict=True, stdout=io.StringIO())


@pytest.mark.usefixtures("databases")
def test_a_replica_that_lags(monkeypatch):
    with router.use("default"), router.reading_from("replica"):
        monkeypatch.setattr(facts, "LONGEST_LAG", 0.02)
        late, error = checked()
        assert (error, codes(late), late["lag"]) == (None, ["replica-lag"], None)

        def replicate():
            Session.objects.using("replica").delete()
            for row in Session.objects.using("default"):
                row.save(using="replica")

        monkeypatch.setattr(facts, "LONGEST_LAG", PATIENCE)
        monkeypatch.setattr(facts, "look_again", replicate)
        report, _ = checked()
    assert codes(report) == []
    assert report["lag"] >= 0


@pytest.mark.stores("db", "redis", database=(None, "postgres", "mariadb"))
def test_clocks_that_differ(store, monkeypatch):
    behind = time.time
    monkeypatch.setattr(facts, "time", lambda: behind() - 60)
    report, _ = checked()
    assert codes(report) == ["clock-skew"]
    assert 55 < report["skew"] < 65


@pytest.mark.stores("db", database="sqlite")
def test_it_says_all_of_it_in_words(store):
    out = io.StringIO()
    call_command("sessioncheck", stdout=out, no_color=True)
    said = out.getvalue()
    assert said.startswith("dj_sessions.backends.db (RowStorage)")
    assert all(step in said for step in [*COMPARED, "compares in one step", "The store works."])
    with pytest.raises(CommandError, match="--timeout must be a number"):
        call_command("sessioncheck", timeout=-1)


@pytest.mark.stores("db", database="sqlite")
def test_counters_do_not_change_what_it_says_of_the_storage(store):
    with override_settings(SESSION_METRICS=f"{__name__}.not_told"):
        report, _ = checked()
    assert report["storage"] == "RowStorage"


def not_told(name, value, attributes):
    pass


# The URL


@pytest.fixture
def ask(monkeypatch):
    for each in (probe.look_up, probe.examine):
        each.forget()
    with override_settings(ROOT_URLCONF=__name__):
        yield Client().get
    for each in (probe.look_up, probe.examine):
        each.forget()


@pytest.mark.stores("db", database="sqlite")
def test_the_url_looks_once_a_second_and_leaves_the_visitor_alone(store, ask, user):
    client = Client()
    client.force_login(user)
    with override_settings(SESSION_SAVE_EVERY_REQUEST=True), statements() as sent:
        response = client.get("/session/health/")
        again = client.get("/session/health/")
    assert (response.status_code, response.json()["works"]) == (200, True)
    assert again.json() == response.json()
    assert len(sent) == 1
    assert not response.cookies
    assert "Cookie" not in response.get("Vary", "")
    assert "no-store" in response["Cache-Control"]


@pytest.mark.stores("db", "cached_db", "file", "redis", database=(None, "sqlite"))
def test_the_url_is_not_taken_for_somebody_who_guesses_keys(store, ask):
    """Asked every second, it would fill the security log and the counter of refused keys."""
    heard = []

    def hear(sender, reason, **kwargs):
        heard.append(reason)

    session_key_refused.connect(hear)
    try:
        assert ask("/session/health/").json()["works"]
        assert heard == []
        store.SessionStore("k" * 32).load()
        assert len(heard) == 1
    finally:
        session_key_refused.disconnect(hear)


@pytest.mark.stores("db", database="sqlite")
@pytest.mark.parametrize("said", [True, 1])
def test_the_whole_check_is_made_where_the_site_says_so(store, ask, said):
    for otherwise in (False, None, "True", "False"):
        with override_settings(SESSION_HEALTH_FULL=otherwise):
            assert ask("/session/health/?full=1").status_code == 403
    with override_settings(SESSION_HEALTH_FULL=said):
        response = ask("/session/health/?full=1")
    assert response.status_code == 200
    assert list(response.json()["steps"]["async"]) == COMPARED
    assert not Session.objects.exists()


def test_the_url_says_without_secrets_that_the_store_fails(databases, ask, caplog):
    backend = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": NOBODY}
    engine = "dj_sessions.backends.cache"
    with override_settings(SESSION_ENGINE=engine, CACHES={"default": backend}):
        response = ask("/session/health/")
    assert response.status_code == 503
    assert set(response.json()) == {"works", "milliseconds", "problems"}
    assert response.json()["problems"] == ["unreachable"]
    assert "correct its address" in caplog.text


def test_nobody_waits_for_a_look_up_that_hangs(monkeypatch):
    """While one thread looks, the others have the last answer, and no good one for long."""
    monkeypatch.setattr(probe, "STALE", 10 * PATIENCE)
    hanging = probe.Probe(lambda: probe.Answer(True, {}, time.monotonic() - probe.FRESH))
    assert hanging.answer().works
    with hanging._lock:
        assert hanging.answer().works
        monkeypatch.setattr(probe, "STALE", 0)
        assert hanging.answer().data["problems"] == ["late"]


def test_an_engine_that_lacks_a_package_is_a_problem_of_the_settings(tmp_path, monkeypatch):
    """As that of Redis without redis-py, whose module says so when it is imported."""
    code = "from django.core import exceptions\nraise exceptions.ImproperlyConfigured('no')\n"
    (tmp_path / "lacking_engine.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with override_settings(SESSION_ENGINE="lacking_engine"):
        problem = examination.looked_up()
    assert (problem.code, problem.what) == ("not-configured", "no")
