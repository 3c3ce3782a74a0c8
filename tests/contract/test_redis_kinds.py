"""Redis as a cluster, without scripts, with text for answers, and Valkey's clients."""

from __future__ import annotations

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import pytest
import redis
from django.conf import settings
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from django_redis.pool import ConnectionFactory

from dj_sessions.storage.caches import adapter_of, redis_steps
from tests import redis_servers, services
from tests.contract.test_adapters import (
    AGE,
    put,
    test_a_moved_entry_leaves_another_one_behind,
    test_an_entry_is_removed_where_it_is_as_expected,
    test_an_entry_is_replaced_where_it_is_as_expected,
    test_entries_are_forgotten_whether_they_are_there_or_not,
    test_entries_are_written_together_where_the_conditions_hold,
    test_entries_without_conditions_are_written_over_whatever_there_is,
    values,
)
from tests.counters import statements
from tests.patience import PATIENCE

__all__ = [
    "test_a_moved_entry_leaves_another_one_behind",
    "test_an_entry_is_removed_where_it_is_as_expected",
    "test_an_entry_is_replaced_where_it_is_as_expected",
    "test_entries_are_forgotten_whether_they_are_there_or_not",
    "test_entries_are_written_together_where_the_conditions_hold",
    "test_entries_without_conditions_are_written_over_whatever_there_is",
]

DJANGO = "django.core.cache.backends.redis.RedisCache"
DJANGO_REDIS = "django_redis.cache.RedisCache"
LOGIN = {"_auth_user_id": "1", "_auth_user_backend": "b", "_auth_user_hash": "h"}
SAVERS = 40
_clusters = {}


class ClusterFactory(ConnectionFactory):
    """What a site writes so that django-redis uses redis-py's client of clusters."""

    def connect(self, url):
        if url not in _clusters:
            _clusters[url] = redis.RedisCluster.from_url(url)
        return _clusters[url]


def plain_redis():
    service = services.run().services["redis"]
    if not service:
        raise services.Absent(str(service))
    return settings.CACHES["redis"]["LOCATION"]


def in_cluster(backend, **options):
    server = redis_servers.needed(redis_servers.cluster)
    return {"BACKEND": backend, "LOCATION": f"redis://127.0.0.1:{server.port}", "OPTIONS": options}


def without_scripts(backend):
    server = redis_servers.needed(redis_servers.restricted)
    return {"BACKEND": backend, "LOCATION": f"redis://plain:secret@127.0.0.1:{server.port}"}


def valkey(backend):
    return {"BACKEND": backend, "LOCATION": redis_servers.needed(plain_redis)}


KINDS = {
    "cluster, django-redis": lambda: in_cluster(
        DJANGO_REDIS, CONNECTION_FACTORY=f"{__name__}.ClusterFactory"
    ),
    "cluster, django-valkey": lambda: in_cluster(
        "django_valkey.cluster_cache.cache.ClusterValkeyCache"
    ),
    "django-valkey": lambda: valkey("django_valkey.cache.ValkeyCache"),
    "no scripts, Django": lambda: without_scripts(DJANGO),
    "no scripts, django-redis": lambda: without_scripts(DJANGO_REDIS),
}


@pytest.fixture(params=KINDS)
def kind(request, cache_prefixes):
    """A kind of Redis, as the cache of sessions."""
    cache = KINDS[request.param]() | {"KEY_PREFIX": next(cache_prefixes)}
    with override_settings(
        CACHES=settings.CACHES | {"kind": cache},
        SESSION_CACHE_ALIAS="kind",
        SESSION_CONFLICT_TIMEOUT=PATIENCE,
    ):
        yield request.param


@pytest.fixture
def adapter(kind):
    return adapter_of(caches["kind"])


def test_it_compares_and_writes_in_one_step(adapter):
    assert adapter.atomic


def test_no_write_is_lost(kind):
    SessionStore = import_module("dj_sessions.backends.cache").SessionStore
    session = SessionStore()
    session["colour"] = "green"
    session.create()
    everybody = threading.Barrier(SAVERS)

    def save(number):
        mine = SessionStore(session.session_key)
        mine[f"saver {number}"] = number
        mine.accessed = True
        everybody.wait(PATIENCE)
        mine.save()

    with ThreadPoolExecutor(SAVERS) as threads:
        list(threads.map(save, range(SAVERS)))
    kept = dict(SessionStore(session.session_key).items())
    assert kept == {"colour": "green", **{f"saver {n}": n for n in range(SAVERS)}}


def test_of_many_who_replace_the_same_value_one_does(kind):
    seen = put(adapter_of(caches["kind"]), "a", "old")
    everybody = threading.Barrier(8)

    def replace(number):
        adapter = adapter_of(caches["kind"])
        adapter.read("a")  # connected
        everybody.wait(PATIENCE)
        return adapter.replace("a", adapter.encode(number), seen, AGE)

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(replace, range(8))) == [False] * 7 + [True]


def test_of_many_who_write_on_the_same_condition_one_does(kind):
    everybody = threading.Barrier(8)

    def write(number):
        adapter = adapter_of(caches["kind"])
        raw = adapter.encode(number)
        adapter.read("tag")
        everybody.wait(PATIENCE)
        return adapter.write_if({"tag": None}, {"tag": raw, f"copy-{number}": raw}, AGE)

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(write, range(8))) == [False] * 7 + [True]


@pytest.mark.usefixtures("unlisted")
def test_a_session_lives_and_ends(kind):
    SessionStore = import_module("dj_sessions.backends.cache").SessionStore
    session = SessionStore()
    session.update(LOGIN)
    session.create()
    old = session.session_key
    under_way = SessionStore(old)
    assert under_way["_auth_user_id"] == "1"
    session.cycle_key()
    assert not SessionStore(old).exists(old)
    under_way["size"] = 3
    under_way.save()
    assert dict(SessionStore(session.session_key).items()) == LOGIN | {"size": 3}
    session.flush()
    assert SessionStore(under_way.session_key).load() == {}


def test_a_server_that_runs_no_scripts_is_asked_once(monkeypatch):
    asked = []
    monkeypatch.setattr(
        redis.Redis,
        "evalsha",
        lambda self, *arguments: asked.append(1) or self.execute_command("EVALSHA", *arguments),
    )
    cache = without_scripts(DJANGO)
    with override_settings(CACHES={"default": cache}):
        adapter = adapter_of(caches["default"])
        name = f"once-{secrets.token_hex(4)}"
        raw = put(adapter, name, "one")
        for _ in range(3):
            assert adapter.replace(name, raw, raw, AGE)
        assert values(adapter, name) == ["one"]
        adapter.forget([name])
    assert len(asked) == 1


def test_an_error_that_is_none_of_scripts_is_raised(monkeypatch):
    with override_settings(CACHES={"default": valkey(DJANGO)}):
        adapter = adapter_of(caches["default"])
        name = f"list-{secrets.token_hex(4)}"
        full = adapter.name(name)
        adapter.client.lpush(full, "no session")
        try:
            for _ in range(2):
                with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
                    adapter.replace(name, b"one", None, AGE)
        finally:
            adapter.client.delete(full)


def test_a_script_that_the_server_has_forgotten_is_sent_again():
    # By the other user of that server, who may run them.
    cache = without_scripts(DJANGO)
    cache["LOCATION"] = cache["LOCATION"].replace("plain:secret@", "")
    with override_settings(CACHES={"default": cache}):
        adapter = adapter_of(caches["default"])
        name = f"forgotten-{secrets.token_hex(4)}"
        raw = put(adapter, name, "one")
        for _ in range(2):
            adapter.client.script_flush()
            assert not adapter.client.script_exists(redis_steps.DIGEST)[0]
            assert adapter.replace(name, raw, raw, AGE)
            assert adapter.client.script_exists(redis_steps.DIGEST)[0]


@pytest.mark.parametrize(
    ("backend", "options"),
    [
        (DJANGO, {"decode_responses": True}),
        (DJANGO_REDIS, {"CONNECTION_POOL_KWARGS": {"decode_responses": True}}),
    ],
)
def test_text_for_answers_is_refused_where_values_are_none(backend, options):
    location = f"{redis_servers.needed(plain_redis)}?client_name=text"
    cache = {"BACKEND": backend, "LOCATION": location, "OPTIONS": options}
    with override_settings(CACHES={"default": cache}):
        adapter = adapter_of(caches["default"])
        with pytest.raises(ImproperlyConfigured, match="decode_responses from its OPTIONS"):
            adapter.read("unknown")


def test_text_for_answers_is_no_matter_where_values_are_text():
    cache = {
        "BACKEND": DJANGO_REDIS,
        "LOCATION": f"{redis_servers.needed(plain_redis)}?client_name=json",
        "OPTIONS": {
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
            "CONNECTION_POOL_KWARGS": {"decode_responses": True},
        },
    }
    with override_settings(CACHES={"default": cache}):
        adapter = adapter_of(caches["default"])
        name = f"text-{secrets.token_hex(4)}"
        raw = put(adapter, name, {"colour": "grün"})
        assert adapter.replace(name, adapter.encode({"colour": "rot"}), raw, AGE)
        assert adapter.remove(name, adapter.read(name))


@pytest.mark.usefixtures("kind", "databases")
@pytest.mark.usefixtures("no_encryption")
def test_copies_of_rows_are_kept_and_end_with_their_rows():
    store = import_module("dj_sessions.backends.cached_db").SessionStore
    session = store()
    session.update(LOGIN)
    session.save()
    key = session.session_key
    caches["kind"].delete(session.cache_key)
    for count in (1, 0):
        again = store(key)
        with statements() as sent:
            assert again["_auth_user_id"] == "1"
        assert len(list(sent)) == count
    again["colour"] = "green"
    again.save()
    with statements() as sent:
        assert store(key)["colour"] == "green"
    assert list(sent) == []
    store(key).flush()
    assert store(key).get("colour") is None
    assert caches["kind"].get(session.cache_key) is None
