"""Sessions of the engine `redis` that change the form of their keys, on each kind of server."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from django.test import override_settings
from django.utils.functional import cached_property

from dj_sessions import _keys
from dj_sessions._codec import forwards
from dj_sessions.backends.redis import SessionStore
from dj_sessions.exceptions import UpdateError
from dj_sessions.storage import Record
from dj_sessions.storage.hashed import TwoFormsStorage
from tests import redis_servers
from tests.counters import round_trips, thread_hops
from tests.redis_servers import PATIENT
from tests.storage import test_redis
from tests.storage.test_redis import KINDS, SLOW, record, storage

kind = test_redis.kind  # a fixture

ON_ONE_SERVER = [name for name in KINDS if name != "cluster"]
of_one_server = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
        for name in ON_ONE_SERVER
    ],
    indirect=True,
)
of_two_ways = pytest.mark.parametrize("kind", ["single", "no scripts"], indirect=True)


@pytest.fixture
def where(kind, mode):
    return mode.wrap(storage())


@pytest.fixture
def keys(kind):
    """Two names, of which the first is that of a session."""
    old, new = secrets.token_hex(16), secrets.token_hex(16)
    storage().insert(old, record("old"))
    return old, new


def names():
    return {name for batch in storage().names(100) for name in batch}


def left(key):
    """For how many milliseconds there is what has this name."""
    return storage().server.send("PTTL", storage().name_of(key))


# One step


@of_one_server
@pytest.mark.parametrize("expected", [Record("old"), None], ids=["expected", "anything"])
def test_a_session_gets_another_name_and_what_was_saved(where, keys, expected):
    old, new = keys
    assert storage().atomic_rename
    assert where.rename(old, new, record("new", minutes=2), expected) == new
    assert names() == {new}
    assert where.read(new).payload == "new"
    assert 110_000 < left(new) <= 120_000


@of_one_server
def test_what_others_have_changed_or_ended_stays_as_it_is(where, keys):
    old, new = keys
    assert where.rename(old, new, record("new"), Record("older")) is None
    assert where.read(old).payload == "old"
    where.remove(old)
    for expected in (Record("old"), None):
        assert where.rename(old, new, record("new"), expected) is None
    assert names() == set()


@of_one_server
@pytest.mark.parametrize("expected", [Record("old"), None], ids=["expected", "anything"])
@pytest.mark.parametrize("there", ["other", "new"])
def test_nothing_takes_the_name_of_another_session(where, keys, expected, there):
    old, new = keys
    where.insert(new, record(there))
    assert where.rename(old, new, record("new"), expected) is None
    assert where.read(old).payload == "old"
    assert where.read(new).payload == there


@of_one_server
@pytest.mark.parametrize("expected", [Record("old"), None], ids=["expected", "anything"])
def test_what_leads_to_a_new_key_is_no_session(where, keys, expected):
    old, new = keys
    forward = forwards.make(old, "b" * 32)
    where.move(old, None, forward)
    assert where.rename(old, new, record("new"), expected) is None
    assert where.rename(new, old, record("new"), expected) is None
    assert where.read(old) == Record(None, forward=forward)
    assert not where.holds(new)


@of_two_ways
def test_a_rename_whose_answer_was_lost_may_be_sent_again(where, keys):
    old, new = keys
    for expected in (Record("old"), None):
        assert where.rename(old, new, record("new"), expected) == new
    assert names() == {new}
    where.replace(new, record("newer"), None)
    assert where.rename(old, new, record("new"), None) is None
    assert where.read(new).payload == "newer"
    where.remove(new)
    assert where.rename(old, new, record("new"), Record("old")) is None
    assert names() == set()


@of_two_ways
def test_a_session_that_is_over_leaves_no_name(where, keys):
    old, new = keys
    assert where.rename(old, new, record("new", seconds=-1), Record("old")) == new
    assert names() == set()


@of_one_server
def test_a_rename_leaves_no_event_loop(keys):
    old, new = keys

    async def rename():
        where = storage()
        assert await where.arename(old, new, record("new"), Record("old")) == new
        return await where.aread_renamed(old, new)

    with thread_hops() as hops:
        assert asyncio.run(rename()) == (new, Record("new"))
    assert hops == []


# Between two commands


@pytest.fixture
def meanwhile(monkeypatch):
    """Have a deed done once between the looks of a step without a script and what it does."""

    def set_up(deed):
        where, done = storage(), []

        def multi_of(pipeline):
            plain = pipeline.multi

            def multi(self):
                if not done:
                    done.append(deed)
                    deed(where)
                return plain(self)

            return multi

        for pipeline in (redis.client.Pipeline, redis.asyncio.client.Pipeline):
            monkeypatch.setattr(pipeline, "multi", multi_of(pipeline))
        return done

    return set_up


@pytest.mark.parametrize("kind", ["no scripts"], indirect=True)
@pytest.mark.parametrize("taken", ["old", "new"])
def test_without_scripts_both_names_are_watched(where, keys, meanwhile, taken):
    old, new = keys
    where.replace(old, record("old"), None)  # so that scripts are out of the way
    server = storage().server

    def deed(store):
        other = store.name_of(old if taken == "old" else new)
        server.send("SET", other, "other", "PX", 60_000)

    done = meanwhile(deed)
    assert where.rename(old, new, record("new"), Record("old")) is None
    assert len(done) == 1
    expected = {old: "other"} if taken == "old" else {old: "old", new: "other"}
    assert {name: where.read(name).payload for name in names()} == expected


@pytest.mark.parametrize("kind", ["no scripts"], indirect=True)
def test_without_scripts_a_session_that_ends_meanwhile_is_not_brought_back(where, keys, meanwhile):
    old, new = keys
    where.replace(old, record("old"), None)
    server = storage().server
    done = meanwhile(lambda store: server.send("DEL", store.name_of(old)))
    assert where.rename(old, new, record("new"), None) is None
    assert len(done) == 1
    assert names() == set()


# Where both names are looked at


@of_one_server
def test_both_names_are_read_at_once(where, keys):
    """Between two looks a session may be renamed, and by another server back."""
    old, new = keys
    for turned in (keys, keys[::-1]):
        with round_trips() as made:
            assert where.read_renamed(*turned) == (old, Record("old"))
        assert len(made) == 1
    assert where.read_renamed(new, new[::-1]) is None
    forward = forwards.make(old, "b" * 32)
    where.move(old, None, forward)
    assert where.read_renamed(new, old) == (old, Record(None, forward=forward))


def test_a_user_who_may_not_read_both_reads_one_after_the_other(mode):
    server = redis_servers.needed(redis_servers.restricted)
    user = f"user{secrets.token_hex(4)}"
    with redis.Redis(port=server.port) as admin:
        commands = ["+@all", "-mget"]
        admin.acl_setuser(user, enabled=True, passwords=["+pw"], keys=["*"], commands=commands)
    config = {"URL": f"redis://{user}:pw@127.0.0.1:{server.port}", "PREFIX": f"{user}:"}
    with override_settings(SESSION_REDIS=config):
        where, old, new = mode.wrap(storage()), secrets.token_hex(16), secrets.token_hex(16)
        where.insert(new, record("new"))
        assert where.read_renamed(old, new) == (new, Record("new"))
        assert where.read_renamed(new, old) == (new, Record("new"))
        assert where.read_renamed(old, old) is None
        with redis.Redis(port=server.port) as admin:
            admin.acl_setuser(user, enabled=True, commands=["-get"])
        with pytest.raises(redis.ResponseError):
            where.read_renamed(old, new)


# Requests that meet


def server_with(forms):
    """An engine as on a server whose SESSION_KEY_STORAGE is ``forms``."""

    class Server(SessionStore):
        @cached_property
        def _storage(self):
            return TwoFormsStorage(self.get_storage(), forms)

    Server.__qualname__ = "SessionStore"  # as payloads are signed
    return Server


#: As in a rolling change from the one order to the other.
SERVERS = [server_with(forms) for forms in (["hashed", "plain"], ["plain", "hashed"])]


@pytest.fixture
def key(kind, settings):
    settings.SESSION_CONFLICT_TIMEOUT = 60
    settings.SESSION_KEY_STORAGE = ["plain"]
    session = SessionStore()
    session["colour"] = "green"
    session.save()
    settings.SESSION_KEY_STORAGE = ["plain", "hashed"]
    return session.session_key


def in_both_modes(save, asave, count):
    """Call both for each number, in threads and in tasks of one event loop, all at once."""

    async def all_tasks():
        return await asyncio.gather(*map(asave, range(count)))

    with ThreadPoolExecutor(5) as threads:
        tasks = threads.submit(asyncio.run, all_tasks())
        return [*threads.map(save, range(count)), *tasks.result()]


def test_servers_that_rename_to_and_fro_lose_no_write(key):
    def save(number):
        mine = SERVERS[number % 2](key)
        mine[f"sync {number}"] = number
        mine.save()

    async def asave(number):
        mine = SERVERS[number % 2](key)
        await mine.aset(f"async {number}", number)
        await mine.asave()

    in_both_modes(save, asave, 12)
    written = {f"{mode} {n}": n for mode in ("sync", "async") for n in range(12)}
    assert dict(SERVERS[0](key).items()) == written | {"colour": "green"}
    assert len(names() & {key, _keys.hashed(key)}) == 1


def test_no_rename_brings_back_a_session_that_was_ended(key):
    def save(number):
        mine = SERVERS[number % 2](key)
        if number == 5:
            mine.flush()
            return None
        try:
            mine["number"] = number
            mine.save()
        except UpdateError:
            return False
        return "colour" in mine

    async def asave(number):
        mine = SERVERS[number % 2](key)
        try:
            await mine.aset("number", number)
            await mine.asave()
        except UpdateError:
            return False
        return await mine.ahas_key("colour")

    in_both_modes(save, asave, 12)
    assert not names() & {key, _keys.hashed(key)}
    assert SERVERS[0](key).load() == {}


# A cluster


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cluster"], indirect=True)
def test_a_cluster_keeps_a_session_under_its_name(where, keys, key, mode):
    old, new = keys
    assert not storage().atomic_rename
    assert where.rename(old, new, record("new"), Record("older")) is None
    assert where.rename(old, new, record("new"), Record("old")) == old
    assert where.read_renamed(new, old) == (old, Record("new"))
    assert where.read_renamed(old, new) == (old, Record("new"))
    assert where.read_renamed(new, new) is None
    for server in SERVERS:
        session = mode.wrap(server(key))
        session.set("size", 3)
        assert session.raw._storage.names_around_save(key) == (key, key)
        session.save()
        assert names() & {key, _keys.hashed(key)} == {key}


def make_cluster():
    port = redis_servers.cluster().port
    return redis.RedisCluster("127.0.0.1", port, **PATIENT)


def make_async_cluster():
    port = redis_servers.cluster().port
    return redis.asyncio.RedisCluster("127.0.0.1", port, **PATIENT)


@pytest.mark.slow
def test_clients_of_the_site_s_own_may_be_those_of_a_cluster(mode, cache_prefixes):
    redis_servers.needed(redis_servers.cluster)
    names = {"CLIENT": "make_cluster", "ASYNC_CLIENT": "make_async_cluster"}
    config = {name: f"{__name__}.{function}" for name, function in names.items()}
    with override_settings(SESSION_REDIS=config | {"PREFIX": f"{next(cache_prefixes)}:"}):
        where, key = mode.wrap(storage()), secrets.token_hex(16)
        assert where.insert(key, record("old"))
        assert not storage().atomic_rename
        assert where.rename(key, key[::-1], record("new"), None) == key
        assert where.read_renamed(key[::-1], key) == (key, Record("new"))


@pytest.fixture
def disguised():
    """A server that is a whole cluster, for a client that does not know."""
    (server,) = redis_servers._start(1, "--cluster-enabled", "yes")
    with redis.Redis(port=server.port) as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        redis_servers._wait(lambda: client.cluster("info")["cluster_state"] == "ok")
    return server


@pytest.mark.slow
def test_a_cluster_of_which_the_client_does_not_know_is_found_out(disguised, mode):
    config = {"URL": f"redis://127.0.0.1:{disguised.port}", "PREFIX": f"{mode.name}:"}
    config["OPTIONS"] = {"client_name": mode.name}
    with override_settings(SESSION_REDIS=config):
        where, key = mode.wrap(storage()), secrets.token_hex(16)
        where.insert(key, record("old"))
        assert where.read_renamed(key[::-1], key) == (key, Record("old"))
        assert where.rename(key, key[::-1], record("new"), Record("old")) == key
        assert where.read(key).payload == "new"
        assert not storage().atomic_rename
        assert where.rename(key, key[::-1], record("newer"), Record("older")) is None


def test_nothing_is_asked_for_what_the_settings_say():
    silent = "127.0.0.1:1"
    sentinel = {"SENTINELS": [silent], "SERVICE": "sessions"}
    for config, is_one in (
        ({"URL": f"redis://{silent}"}, True),
        ({"SENTINEL": sentinel}, True),
        ({"CLUSTER": [silent]}, False),
    ):
        with override_settings(SESSION_REDIS=config):
            assert storage().atomic_rename is is_one
