"""Counters: what is counted, when, under which names, and nothing of it when they are off."""

from __future__ import annotations

import json
import logging
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.test import override_settings
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, generate_latest

from dj_sessions import _metrics, storage
from dj_sessions._metrics import opentelemetry, recording, switch
from dj_sessions._metrics.expected import KNOWN, expected
from dj_sessions._metrics.instruments import (
    ENDED,
    INSTRUMENTS,
    MERGES,
    OUTAGE_DURATION,
    SAVE_SIZE,
    SAVES,
    STORAGE_DURATION,
    STORAGE_ERRORS,
)
from dj_sessions._metrics.opentelemetry import OpenTelemetryRecorder
from dj_sessions._metrics.prometheus import PrometheusRecorder
from dj_sessions._session import counting
from dj_sessions.checks.metrics import check_metrics
from dj_sessions.exceptions import SessionConflict, UpdateError
from dj_sessions.signals import relogin_asked, session_refused
from dj_sessions.storage.copies import counted
from tests.fresh import run

STORES = pytest.mark.stores(name=("db-sqlite", "redis", "cached_db-postgres-redis", "file"))
COPIES = pytest.mark.stores("cached_db", cache="redis")
ONE_STORE = pytest.mark.stores(name="db-sqlite")

told: list[tuple[str, float, dict[str, str]]] = []


def note(name: str, value: float, attributes: dict[str, str]) -> None:
    told.append((name.removeprefix("dj_sessions."), value, attributes))


class Told:
    """What was recorded: how often each name was, by one of its attributes."""

    def counts(self, name: str, by: str = "") -> dict[str, float]:
        found = Counter[str]()
        for each, value, attributes in told:
            if each == name:
                found[attributes[by] if by else ""] += value
        return dict(found)

    def values(self, name: str) -> list[float]:
        return [value for each, value, _ in told if each == name]

    def calls(self) -> list[str]:
        return [labels["operation"] for name, _, labels in told if name == "storage.duration"]

    def clear(self) -> None:
        told.clear()


@pytest.fixture
def seen():
    told.clear()
    with override_settings(SESSION_METRICS=f"{__name__}.note"):
        yield Told()
    known = {each.name.removeprefix("dj_sessions."): values for each, values in KNOWN.items()}
    for name, _, attributes in told:
        for attribute, values in known.get(name, {}).items():
            assert attributes[attribute] in values
    told.clear()


def stored(store, mode, **data):
    session = mode.wrap(store.SessionStore())
    session.update({"colour": "green"} | data)
    session.save()
    return session


def opened(store, mode, session):
    return mode.wrap(store.SessionStore(session.session_key))


# What is counted


@STORES
def test_a_life_is_counted(store, mode, seen):
    session = stored(store, mode)
    session.set("colour", "red")
    session.save()
    session.raw.modified = False
    session.save()
    session.cycle_key()
    session.flush()
    assert seen.counts("saves", "kind") == {"new": 2, "changed": 1, "unchanged": 1}
    assert seen.counts("started") == {"": 1}
    assert seen.counts("renewed") == {"": 1}
    assert seen.counts("key.changes") == {"": 1}
    assert seen.counts("ended", "reason") == {"flushed": 1}
    assert len(seen.values("save.size")) == 4
    assert all(50 < size < 500 for size in seen.values("save.size"))
    engine = store.SessionStore.__module__.removeprefix("dj_sessions.backends.")
    assert set(seen.counts("storage.duration", "engine")) == {engine}
    assert set(seen.counts("saves", "engine")) == {engine}


@pytest.mark.stores("db", "cache", "cached_db", "file", "redis")
def test_the_size_is_that_of_what_is_stored(store, mode, seen):
    stored(store, mode, cart="x" * 10_000)
    stored(store, mode)
    large, small = seen.values("save.size")
    assert large > small


@pytest.mark.stores("signed_cookies")
def test_a_cookie_counts_as_a_save_with_its_size(store, mode, seen):
    session = stored(store, mode)
    assert seen.counts("saves", "kind") == {"changed": 1}
    assert seen.values("save.size") == [len(session.session_key)]


@STORES
def test_each_call_of_a_storage_is_timed_once(store, mode, seen):
    session = stored(store, mode)
    seen.clear()
    again = opened(store, mode, session)
    again.set("colour", "red")
    again.save()
    again.flush()
    assert seen.calls() == ["read", "replace", "remove"]
    assert all(0 < seconds < 10 for seconds in seen.values("storage.duration"))


@ONE_STORE
def test_what_a_storage_raises_is_counted_and_raised(store, mode, seen, monkeypatch):
    session = stored(store, mode)
    seen.clear()
    again = opened(store, mode, session)
    inner = again.raw._storage.inner
    while isinstance(inner, storage.StorageWrapper):
        inner = inner.inner

    def fail(key):
        raise DatabaseError

    monkeypatch.setattr(inner, "read", fail)
    with pytest.raises(DatabaseError):
        again.get("colour")
    assert seen.counts("storage.errors", "error.type") == {"DatabaseError": 1}
    assert seen.calls() == ["read"]


@STORES
def test_two_requests_that_change_different_keys_are_merged(store, mode, seen):
    session = stored(store, mode)
    one, other = opened(store, mode, session), opened(store, mode, session)
    one.set("size", 1)
    other.set("weight", 2)
    one.save()
    other.save()
    assert seen.counts("save.conflicts") == {"": 1}
    assert seen.counts("merges", "outcome") == {"merged": 1}


@STORES
def test_two_requests_that_change_one_key_are_told_apart(store, mode, seen):
    session = stored(store, mode)
    one, other = opened(store, mode, session), opened(store, mode, session)
    one.set("colour", "red")
    other.set("colour", "blue")
    one.save()
    other.save()
    assert seen.counts("merges", "outcome") == {"same-key": 1}


@STORES
def test_a_save_after_the_end_is_counted(store, mode, seen):
    session = stored(store, mode)
    late = opened(store, mode, session)
    late.set("colour", "red")
    opened(store, mode, session).flush()
    with pytest.raises(UpdateError):
        late.save()
    assert seen.counts("merges", "outcome") == {"ended": 1}


@ONE_STORE
def test_a_save_that_is_given_up_is_counted(store, mode, seen, settings, monkeypatch):
    settings.SESSION_CONFLICT_TIMEOUT = 0
    session = stored(store, mode)
    late = opened(store, mode, session)
    late.set("colour", "red")
    other = opened(store, mode, session)
    other.set("size", 1)
    other.save()
    with pytest.raises(SessionConflict):
        late.save()
    assert seen.counts("merges", "outcome") == {"given-up": 1}


@STORES
def test_a_key_that_has_no_session_is_counted(store, mode, seen):
    assert mode.wrap(store.SessionStore("a" * 32)).get("colour") is None
    assert mode.wrap(store.SessionStore("a/b")).get("colour") is None
    assert seen.counts("key.refusals", "reason") == {"unknown": 1, "malformed": 1}


@pytest.mark.stores(name="db-sqlite")
def test_data_that_is_corrupt_is_counted(store, mode, seen):
    session = stored(store, mode)
    model = store.SessionStore.get_model_class()
    model.objects.update(session_data="worthless")
    assert opened(store, mode, session).get("colour") is None
    assert seen.counts("data.corrupt") == {"": 1}


def test_logins_that_are_refused_or_asked_for_are_counted(seen):
    session_refused.send(sender=None, public_id="", user_id=1, limit=2)
    relogin_asked.send(sender=None, public_id="", user_id=1, request=None)
    assert seen.counts("login.refusals") == seen.counts("relogins") == {"": 1}


# Copies


@COPIES
def test_copies_are_counted_by_what_is_found(store, mode, seen):
    session = stored(store, mode)
    opened(store, mode, session).get("colour")
    storage_of = opened(store, mode, session).raw._storage
    storage_of.end_copy(session.session_key)
    opened(store, mode, session).get("colour")
    opened(store, mode, session).get("colour")
    assert seen.counts("copy.reads", "outcome") == {"hit": 2, "miss": 1}
    assert set(seen.counts("copy.reads", "cache")) == {"redis"}


def entries_of(store, session):
    """What the cache has of a session."""
    storage = store.SessionStore(session.session_key)._storage
    return storage._copies._of(storage._name(session.session_key))


@COPIES
def test_a_copy_that_has_lost_its_tag_is_counted_as_such(store, mode, seen):
    session = stored(store, mode)
    entries = entries_of(store, session)
    entries.forget(entries.guard)
    opened(store, mode, session).get("colour")
    assert seen.counts("copy.reads", "outcome") == {"untagged": 1}


@COPIES
def test_a_new_generation_makes_copies_stale(store, mode, seen):
    session = stored(store, mode)
    entries = entries_of(store, session)
    entries.forget(entries.generation.name)
    stored(store, mode)  # which begins the next one
    opened(store, mode, session).get("colour")
    assert seen.counts("copy.reads", "outcome") == {"stale": 1}


@COPIES
def test_a_session_that_is_being_changed_is_busy(store, mode, seen):
    session = stored(store, mode)
    copies = opened(store, mode, session).raw
    copies._storage._copies.hide(copies._storage._name(session.session_key))
    copies.get("colour")
    assert seen.counts("copy.reads", "outcome") == {"busy": 1}


@COPIES
def test_a_reader_who_meets_another_one_s_lease_is_told_apart(store, mode, seen):
    session = stored(store, mode)
    copies = opened(store, mode, session).raw._storage
    copies.end_copy(session.session_key)
    name = copies._name(session.session_key)
    copies._copies.lease(name, copies._copies.look(name))
    seen.clear()
    opened(store, mode, session).get("colour")
    assert seen.counts("copy.reads", "outcome") == {"leased": 1}


# Names


def test_the_names_follow_the_conventions_and_have_few_values():
    names = [each.name for each in INSTRUMENTS]
    assert len(set(names)) == len(names)
    for each in INSTRUMENTS:
        assert each.name.startswith("dj_sessions.")
        assert each.name.replace(".", "").replace("_", "").islower()
        assert each.unit in ("s", "By") or each.unit[0] + each.unit[-1] == "{}"
        assert each.is_histogram == (each.unit in ("s", "By"))
        assert list(each.boundaries) == sorted(set(each.boundaries))


@pytest.mark.stores(name=("db-sqlite", "redis", "cached_db-postgres-redis"))
def test_no_attribute_has_a_key_a_user_or_an_address_in_it(store, mode, seen, user):
    visitor = mode.client()
    visitor.force_login(user)
    key = visitor.raw.cookies["sessionid"].value
    visitor.logout()
    shown = json.dumps(told)
    assert told
    assert key not in shown
    assert user.username not in shown
    outcomes = {*counted.OUTCOMES, *counting.OUTCOMES}
    assert {labels["outcome"] for _, _, labels in told if "outcome" in labels} <= outcomes


# What is there from the start


def expected_of(engine: str, **more: Any) -> dict[str, set[tuple[str, ...]]]:
    found: dict[str, set[tuple[str, ...]]] = {}
    with override_settings(SESSION_ENGINE=f"dj_sessions.backends.{engine}", **more):
        for instrument, attributes in expected():
            assert len(attributes) == len(instrument.attributes)
            found.setdefault(instrument.name.removeprefix("dj_sessions."), set()).add(attributes)
    return found


@pytest.mark.parametrize("engine", ["db", "cache", "cached_db", "file", "redis", "signed_cookies"])
def test_all_that_is_known_beforehand_is_expected(engine):
    found = expected_of(engine, SESSION_CACHE_ALIAS="redis")
    copies = {"copy.reads", "copy.renewals", "outages", "outage.duration"}
    unknown = {STORAGE_DURATION, STORAGE_ERRORS}
    names = {each.name.removeprefix("dj_sessions.") for each in INSTRUMENTS if each not in unknown}
    assert set(found) == (names if engine == "cached_db" else names - copies)
    assert found["saves"] == {(engine, "new"), (engine, "changed"), (engine, "unchanged")}
    assert found["data.corrupt"] == {()}
    assert ("given-up",) in found["merges"]
    assert ("hashed",) in found["key.refusals"]


def test_copies_are_expected_in_the_cache_of_sessions():
    found = expected_of("cached_db", SESSION_CACHE_ALIAS="redis")
    assert found["outages"] == found["outage.duration"] == {("redis",)}
    assert found["copy.reads"] == {("redis", outcome) for outcome in counted.OUTCOMES}


def test_an_engine_between_two_has_the_copies_of_either():
    names = {end: f"dj_sessions.backends.{end}" for end in ("db", "cached_db", "redis")}
    for ends in (("cached_db", "redis"), ("db", "cached_db"), ("db", "redis")):
        move = dict(zip(("FROM", "TO"), map(names.get, ends), strict=True))
        found = expected_of("moving", SESSION_MOVE=move)
        assert found["started"] == {("moving",)}
        assert ("outages" in found) == ("cached_db" in ends)


@pytest.mark.parametrize("engine", ["no_such_engine", "moving"])
def test_an_engine_that_cannot_be_used_is_left_to_the_checks(engine):
    found = expected_of(engine, SESSION_MOVE=None)
    assert "saves" not in found
    assert ("given-up",) in found["merges"]


def test_prometheus_has_it_at_0_in_each_process(tmp_path):
    code = f"""
        import os
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = {str(tmp_path)!r}
        import django
        django.setup()
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector
        from dj_sessions._metrics.instruments import MERGES
        from dj_sessions._metrics.recording import record

        def show():
            registry = CollectorRegistry()
            MultiProcessCollector(registry)
            print(generate_latest(registry).decode())

        show()
        if os.fork() == 0:
            record(MERGES, 1, "given-up")
            os._exit(0)
        os.wait()
        show()
    """
    apps = ["django.contrib.contenttypes", "django.contrib.auth", "dj_sessions"]
    lines = run(code, setup=False, INSTALLED_APPS=apps, SESSION_METRICS="prometheus").splitlines()
    given_up = [
        line for line in lines if line.startswith("dj_sessions_merges_total") and "given-up" in line
    ]
    assert [line.split()[-1] for line in given_up] == ["0.0", "1.0"]
    assert lines.count('dj_sessions_saves_total{engine="db",kind="new"} 0.0') == 2


def test_opentelemetry_has_counters_of_it_at_0(reader):
    reader.recorder.expect([(MERGES, ("given-up",)), (OUTAGE_DURATION, ("default",))])
    reader.recorder(MERGES, 1, ("merged",))
    found = points_of(reader)
    merges = {point.attributes["outcome"]: point.value for point in found["dj_sessions.merges"]}
    assert merges == {"given-up": 0, "merged": 1}
    assert "dj_sessions.outage.duration" not in found


def test_what_was_counted_goes_on_where_it_is_expected_again():
    recorder = PrometheusRecorder(registry := CollectorRegistry())
    recorder(ENDED, 1, ("db", "flushed"))
    recorder.expect([(ENDED, ("db", "flushed"))])
    assert 'reason="flushed"} 1.0' in generate_latest(registry).decode()


# Off


@STORES
def test_off_nothing_of_it_is_called_or_wrapped(store, mode):
    with override_settings(SESSION_METRICS=None):
        session = stored(store, mode)
        calls = Counter[str]()
        home = str(Path(_metrics.__file__).parent)
        more = (counting.__file__, counted.__file__, storage.__path__[0] + "/measured.py")

        def watch(frame: Any, event: str, argument: Any) -> None:
            name = frame.f_code.co_filename
            if event == "call" and (name.startswith(home) or name in more):
                calls[frame.f_code.co_qualname] += 1

        again = opened(store, mode, session)
        sys.setprofile(watch)
        try:
            again.set("colour", "red")
            again.save()
            again.cycle_key()
            again.flush()
        finally:
            sys.setprofile(None)
        assert calls == {}
        assert type(again.raw._storage).__name__ != "MeasuredStorage"


def test_off_no_client_is_imported():
    code = """
        import dj_sessions.backends.db
        print([name for name in sys.modules if "prometheus" in name or "opentelemetry" in name])
    """
    apps = ["django.contrib.contenttypes", "django.contrib.auth", "dj_sessions"]
    assert run(code, INSTALLED_APPS=apps).strip() == "[]"


# Who is told


def test_prometheus_has_each_metric_under_its_name():
    registry = CollectorRegistry()
    recorder = PrometheusRecorder(registry)
    for each in INSTRUMENTS:
        for _ in range(2):
            recorder(each, 0.25 if each.is_histogram else 1, ("x",) * len(each.attributes))
    text = generate_latest(registry).decode()
    assert 'dj_sessions_saves_total{engine="x",kind="x"} 2.0' in text
    assert "# HELP dj_sessions_saves_total Saves of sessions" in text
    assert 'dj_sessions_storage_duration_seconds_sum{engine="x",operation="x"} 0.5' in text
    assert 'dj_sessions_storage_duration_seconds_bucket{engine="x",le="0.25",operation="x"}' in text
    assert 'dj_sessions_storage_errors_total{engine="x",error_type="x",operation="x"} 2.0' in text
    assert 'dj_sessions_save_size_bytes_count{engine="x"} 2.0' in text
    assert "dj_sessions_save_conflicts_total 2.0" in text


def points_of(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    data = reader.get_metrics_data()
    found = data.resource_metrics[0].scope_metrics[0].metrics if data else []
    return {each.name: list(each.data.data_points) for each in found}


@pytest.fixture
def reader():
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    reader.recorder = OpenTelemetryRecorder(provider.get_meter("dj_sessions"))
    yield reader
    provider.shutdown()


def test_opentelemetry_has_what_was_recorded_when_it_is_collected(reader):
    for size in (100, 300, 5000):
        reader.recorder(SAVE_SIZE, size, ("db",))
        reader.recorder(SAVES, 1, ("db", "new"))
    reader.recorder(SAVES, 1, ("db", "changed"))
    found = points_of(reader)
    saves = {point.attributes["kind"]: point.value for point in found["dj_sessions.saves"]}
    assert saves == {"new": 3, "changed": 1}
    [sizes] = found["dj_sessions.save.size"]
    assert (sizes.count, sizes.sum, dict(sizes.attributes)) == (3, 5400, {"engine": "db"})
    assert tuple(sizes.explicit_bounds) == SAVE_SIZE.boundaries
    assert list(sizes.bucket_counts[:3]) == [1, 0, 1]


def test_opentelemetry_goes_on_counting_between_two_collections(reader):
    reader.recorder(SAVES, 1, ("db", "new"))
    assert points_of(reader)["dj_sessions.saves"][0].value == 1
    reader.recorder(SAVES, 1, ("db", "new"))
    reader.recorder(SAVE_SIZE, 100, ("db",))
    found = points_of(reader)
    assert found["dj_sessions.saves"][0].value == 2
    assert found["dj_sessions.save.size"][0].count == 1


def test_where_nobody_collects_few_values_wait_and_none_is_lost(reader, monkeypatch):
    monkeypatch.setattr(opentelemetry, "MOST_WAITING", 10)
    for _ in range(100):
        reader.recorder(SAVE_SIZE, 100, ("db",))
        reader.recorder(SAVES, 1, ("db", "new"))
        assert len(reader.recorder._waiting) <= 10
    found = points_of(reader)
    assert found["dj_sessions.save.size"][0].count == 100
    assert found["dj_sessions.saves"][0].value == 100


def test_a_forked_process_counts_its_own_alone():
    recorder = OpenTelemetryRecorder(MeterProvider(shutdown_on_exit=False).get_meter("x"))
    recorder(SAVES, 1, ("db", "new"))
    recorder._record(1)
    recorder(SAVES, 1, ("db", "new"))
    recorder.begin_in_process()
    assert not recorder._waiting
    assert recorder._totals[SAVES] == {("db", "new"): 0}


def test_several_can_be_told(seen):
    other = Told()
    with override_settings(SESSION_METRICS=[f"{__name__}.note", f"{__name__}.note"]):
        recording.record(SAVES, 1, "db", "new")
    assert other.counts("saves") == {"": 2}


@ONE_STORE
def test_a_function_that_raises_loses_no_session(store, mode, caplog, monkeypatch):
    def fail(*values):
        raise ValueError("no route to the collector")

    monkeypatch.setitem(globals(), "note", fail)
    with override_settings(SESSION_METRICS=f"{__name__}.note"):
        session = stored(store, mode)
    assert opened(store, mode, session).get("colour") == "green"
    lines = [each.message for each in caplog.records if "could not be recorded" in each.message]
    assert "ValueError: no route to the collector" in lines[0]
    assert session.session_key not in "".join(lines)


# The setting


@pytest.mark.parametrize("value", ["grafana", "no.such.module", 7, "dj_sessions.conf.DEFAULTS"])
def test_a_name_that_leads_nowhere_is_refused_with_the_remedy(value, caplog):
    with override_settings(SESSION_METRICS=value):
        [error] = check_metrics(None)
        assert not recording.recorders
    assert (error.id, repr(value) in error.msg) == ("dj_sessions.E114", True)
    assert "a function of yours" in error.hint
    assert [each.levelno for each in caplog.records] == [logging.ERROR]


@pytest.mark.parametrize(("name", "package"), switch.PACKAGES.items())
def test_a_client_that_is_not_installed_is_named_with_its_package(name, package, monkeypatch):
    monkeypatch.setitem(sys.modules, f"dj_sessions._metrics.{name}", None)
    with override_settings(SESSION_METRICS=[name]):
        [error] = check_metrics(None)
        with pytest.raises(ImproperlyConfigured):
            switch.recorder_of(name)
    assert error.id == "dj_sessions.E115"
    assert error.hint == f"Install it: pip install {package}"


def test_the_setting_turns_it_on_and_off():
    with override_settings(SESSION_METRICS=["prometheus", "opentelemetry"]):
        assert len(recording.recorders) == 2
        assert list(check_metrics(None)) == []
        with override_settings(SESSION_METRICS=None):
            assert recording.recorders == []
        assert len(recording.recorders) == 2


def test_a_module_that_cannot_be_imported_is_named_with_its_error(tmp_path, monkeypatch):
    (tmp_path / "broken_metrics.py").write_text("def note(:")
    monkeypatch.syspath_prepend(tmp_path)
    with override_settings(SESSION_METRICS="broken_metrics.note"):
        [error] = check_metrics(None)
        assert not recording.recorders
    assert "function (SyntaxError: " in error.msg
