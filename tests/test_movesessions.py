"""`manage.py movesessions`: the sessions that nobody visits go to the other engine as they are."""

import re
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from io import StringIO
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from dj_sessions import _keys
from dj_sessions.backends import cache, db, file, moving, redis
from dj_sessions.management import _interruption
from dj_sessions.management.commands import movesessions
from dj_sessions.models import Session
from dj_sessions.storage.moving import carriage
from dj_sessions.storage.moving.carriage import _carried
from dj_sessions.storage.rows.storage import RowStorage
from tests import redis_servers
from tests.patience import PATIENCE
from tests.stores import in_thread

ENGINES = "dj_sessions.backends"
DATA = {"colour": "green", "day": 1}
FROM_REDIS = {"SESSION_MOVE": {"FROM": f"{ENGINES}.redis", "TO": f"{ENGINES}.db"}}


@contextmanager
def engines(source, target, phase="move"):
    places = {"FROM": f"{ENGINES}.{source}", "TO": f"{ENGINES}.{target}", "PHASE": phase}
    with override_settings(SESSION_ENGINE=f"{ENGINES}.moving", SESSION_MOVE=places):
        yield


@pytest.fixture(autouse=True)
def places(store, cache_prefixes, tmp_path, settings, no_encryption):
    """A Redis, and a directory, without sessions."""
    settings.SESSION_REDIS = {
        "URL": redis_servers.needed(redis_servers.plain),
        "PREFIX": f"{next(cache_prefixes)}:",
        "OPTIONS": redis_servers.PATIENT,
    }
    settings.SESSION_FILE_PATH = tmp_path


def move(*arguments, out=None):
    out, err = out or StringIO(), StringIO()
    call_command("movesessions", *arguments, stdout=out, stderr=err)
    return out.getvalue() + err.getvalue()


def saved(kind, number=1, age=None, **settings):
    with override_settings(**settings):
        sessions = [kind.SessionStore() for _ in range(number)]
        for session in sessions:
            session.update(DATA)
            session.set_expiry(age)
            session.save()
    return [session.session_key for session in sessions]


def names_in(kind):
    listed = kind.SessionStore().get_storage().names(1000)
    return sorted(name for names in listed for name in names)


relational = pytest.mark.stores("db")
on_sqlite = pytest.mark.stores("db", database="sqlite")


@relational
def test_all_move_as_they_are(store):
    keys = saved(db, 5, age=timedelta(hours=5))
    hashed = saved(db, SESSION_KEY_STORAGE=["hashed"])
    with engines("db", "redis"):
        assert move("--batch-size=2") == "Moved 6 sessions.\n"
        assert move() == "Moved 0 sessions.\n"
    assert names_in(db) == []
    assert names_in(redis) == sorted(keys + list(map(_keys.hashed, hashed)))
    moved = redis.SessionStore(keys[0])
    assert moved["colour"] == "green"
    assert timedelta(hours=4) < moved.get_expiry_date() - timezone.now() <= timedelta(hours=5)


@pytest.mark.stores("db", database=("sqlite", "postgres"))
@pytest.mark.parametrize(("source", "target"), [("redis", "db"), ("file", "db"), ("db", "file")])
def test_and_from_and_to_every_store(store, source, target):
    kinds = {"db": db, "redis": redis, "file": file}
    keys = saved(kinds[source], 3)
    with engines(source, target):
        assert move() == "Moved 3 sessions.\n"
    assert names_in(kinds[source]) == []
    assert [dict(kinds[target].SessionStore(key).items()) for key in keys] == [DATA] * 3


@on_sqlite
def test_what_is_skipped_is_counted_and_named(store):
    keys = saved(db, 2)
    saved(db, 3, age=-1)
    unreadable = saved(db, 6, SECRET_KEY="another secret of at least 32 characters")
    with engines("db", "redis"):
        for dry, did in (("--dry-run", "Would move"), ("--batch-size=1", "Moved")):
            with pytest.raises(CommandError) as caught:
                move(dry, out=(out := StringIO()))
            assert out.getvalue() == f"{did} 2 sessions; 3 had expired.\n"
            said = str(caught.value)
            assert "6 sessions: cannot be read (public_id: " in said
            assert len(re.findall("[0-9a-f]{16}", said)) == carriage.NAMED
            assert _keys.public_id(sorted(unreadable)[0]) in said
    assert names_in(redis) == sorted(keys)
    assert set(unreadable) < set(names_in(db))


@on_sqlite
def test_a_dry_run_moves_nothing(store):
    saved(db, 3)
    with engines("db", "redis"):
        assert move("--dry-run") == "Would move 3 sessions.\n"
    assert len(names_in(db)) == 3
    assert names_in(redis) == []


@on_sqlite
def test_it_ends_at_its_limit_and_begins_behind_a_name(store):
    keys = sorted(saved(db, 5))
    with engines("db", "redis"):
        said = move("--limit=2", f"--after={keys[1][:8]}")
        assert said == "Moved 2 sessions, which is the limit; there may be more.\n"
        assert names_in(redis) == keys[1:3]
        assert move() == "Moved 3 sessions.\n"


@on_sqlite
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_after_a_handful_and_the_next_run_goes_on(store, number):
    keys = sorted(saved(db, 7))
    finish = carriage._carried

    def interrupted(storage, names):
        if names[0] == keys[3]:
            signal.raise_signal(number)
        return finish(storage, names)

    with (
        engines("db", "redis"),
        mock.patch.multiple(carriage, _carried=interrupted, AT_ONCE=3),
        pytest.raises(CommandError) as caught,
    ):
        move()
    assert caught.value.returncode == 128 + number
    assert str(caught.value) == (
        f"Ended by {number.name}. Moved 6 sessions. Run the command again for the rest, or begin "
        f"where it ended: --after {keys[5][:6]}."
    )
    with engines("db", "redis"):
        assert move(f"--after={keys[5][:6]}") == "Moved 1 session.\n"
    assert names_in(redis) == keys


@on_sqlite
def test_a_failure_says_what_was_done_and_how_to_go_on(store):
    keys = sorted(saved(db, 4))
    finish, err = carriage._carried, StringIO()

    def failing(storage, names):
        if names[0] == keys[2]:
            raise OSError("the disk is full")
        return finish(storage, names)

    with (
        engines("db", "redis"),
        mock.patch.multiple(carriage, _carried=failing, AT_ONCE=2),
        pytest.raises(CommandError, match="full") as caught,
    ):
        call_command("movesessions", stdout=StringIO(), stderr=err)
    assert isinstance(caught.value.__cause__, OSError)
    assert err.getvalue() == (
        "Moved 2 sessions. Run the command again for the rest, or begin where it ended: "
        f"--after {keys[1][:6]}.\n"
    )


class Clock:
    """The ``time`` of the command, in which only sleeps and batches take any."""

    def __init__(self, *seconds):
        self.now = 0.0
        self.seconds = iter(seconds)
        self.begun = []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def carried(self, storage, names):
        self.begun.append((round(self.now, 6), len(names)))
        self.now += next(self.seconds)
        return _carried(storage, names)


@on_sqlite
def test_it_keeps_to_its_rate(store):
    saved(db, 9)
    clock = Clock(0.02, 0.5, 0.02, 0.1, 0.02)
    with (
        engines("db", "redis"),
        mock.patch.object(movesessions, "time", clock),
        mock.patch.object(_interruption, "time", clock),
        mock.patch.object(carriage, "_carried", clock.carried),
    ):
        assert move("--rate=20").startswith("Moved 9 sessions.")
    # Two in a tenth of a second, also after a slow batch.
    assert clock.begun == [(0, 2), (0.1, 2), (0.6, 2), (0.7, 2), (0.8, 1)]


@relational
def test_two_at_once_share_the_work(store):
    keys = sorted(saved(db, 40))
    said = []
    source = RowStorage.many

    def second(storage, method, calls):
        """Between two calls of the first, the second moves all."""
        if not said:
            said.append(None)
            said[0] = in_thread(move)
        return source(storage, method, calls)

    with engines("db", "redis"), mock.patch.object(RowStorage, "many", second):
        said.append(move())
    assert said[0] == "Moved 40 sessions.\n"
    assert said[1] == "Moved 0 sessions; 40 were gone already.\n"
    assert names_in(redis) == keys
    assert names_in(db) == []


@relational
@pytest.mark.parametrize("method", ["replace", "remove"])
def test_a_visitor_meanwhile_loses_nothing(store, method):
    """Who saves, and who logs out, before each of the two writes of the command to the rows."""
    stays, leaves = saved(db, 2)
    saved(db, 5)
    many = RowStorage.many

    def visit():
        session = moving.SessionStore(stays)
        session["colour"] = "red"
        session.save()
        moving.SessionStore(leaves).flush()

    def visited(storage, name, calls):
        if name == method:
            in_thread(visit)
        return many(storage, name, calls)

    with engines("db", "redis"):
        with mock.patch.object(RowStorage, "many", visited):
            said = move()
        assert said.startswith("Moved 5" if method == "replace" else "Moved 7")
        assert dict(moving.SessionStore(stays).items()) == DATA | {"colour": "red"}
        assert not moving.SessionStore().exists(leaves)
    assert len(set(names_in(redis)) - {leaves}) == 6  # which may have a ticket, and no session
    assert names_in(db) == []


@pytest.mark.stores("db", database=("postgres", "mariadb"))
def test_a_row_that_a_request_holds_keeps_no_other_waiting(store):
    """The handful is not locked while the command waits for one of it."""
    held, other, *_ = sorted(saved(db, 3))
    waits = threading.Event()
    remove = RowStorage.replace

    def one_by_one(storage, key, *arguments):
        if key == held:
            waits.set()
        return remove(storage, key, *arguments)

    with (
        engines("db", "redis"),
        ThreadPoolExecutor(1) as threads,
        mock.patch.object(RowStorage, "replace", one_by_one),
    ):
        with transaction.atomic(using=store.database):
            Session.objects.using(store.database).select_for_update().get(pk=held)
            moving_on = threads.submit(in_thread, move)
            assert waits.wait(PATIENCE)
            in_thread(save, other)
        assert moving_on.result() == "Moved 2 sessions; 1 was gone already.\n"


def save(key):
    session = moving.SessionStore(key)
    session["colour"] = "red"
    session.save()


@pytest.mark.stores("cache", cache="locmem")
def test_what_is_listed_nowhere_moves_by_itself(store):
    with engines("cache", "db"), pytest.raises(CommandError) as caught:
        move()
    assert str(caught.value) == (
        "The engine FROM cannot list its sessions (This cache cannot list its entries). Each moves "
        "when it is next saved; leave SESSION_MOVE as it is for SESSION_COOKIE_AGE seconds, after "
        "which the others have ended."
    )


@pytest.mark.stores("cache", cache="redis")
def test_a_cache_on_redis_is_moved(store):
    keys = saved(cache, 3)
    with engines("cache", "db"):
        assert move() == "Moved 3 sessions.\n"
    assert names_in(db) == sorted(keys)
    assert names_in(cache) == []


@on_sqlite
@pytest.mark.parametrize(
    ("change", "arguments", "said"),
    [
        ({"SESSION_ENGINE": f"{ENGINES}.db"}, (), "'dj_sessions.backends.db' moves no sessions"),
        ({}, ("--rate=0",), "--rate must be a number, 0.01 or more, not 0.0"),
        ({}, ("--rate=inf",), "--rate must be a number, 0.01 or more, not inf"),
        ({}, ("--limit=0",), "--limit must be a whole number, 1 or more, not 0"),
        ({}, ("--batch-size=0",), "--batch-size must be a whole number, from 1 to 10000, not 0"),
        (FROM_REDIS, ("--after=a",), "lists its sessions in no order. Leave out --after"),
    ],
)
def test_what_it_refuses_it_says(store, change, arguments, said):
    refused = pytest.raises(CommandError, match=re.escape(said))
    with engines("db", "redis"), override_settings(**change), refused:
        move(*arguments)


@on_sqlite
@pytest.mark.parametrize("is_open", [False, True])
def test_it_does_not_begin_where_nothing_may_move(store, is_open):
    saved(db)
    outer = transaction.atomic() if is_open else nullcontext()
    refused = pytest.raises(CommandError, match="transaction" if is_open else "prepare")
    with engines("db", "redis", "move" if is_open else "prepare"), outer, refused:
        move()


@on_sqlite
def test_while_it_is_prepared_it_says_what_to_change_and_nothing_else(store):
    saved(db)
    refused = pytest.raises(CommandError, match=r"Change it to 'move' when each server has it\.$")
    with engines("db", "redis", "prepare"), refused:
        move()


class Terminal(StringIO):
    def isatty(self):
        return True


@on_sqlite
def test_a_terminal_sees_how_far_it_is(store, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    saved(db, 3)
    with engines("db", "redis"), mock.patch.object(carriage, "AT_ONCE", 2):
        call_command("movesessions", stdout=StringIO(), stderr=(err := Terminal()))
    assert err.getvalue() == "\r2 of 3\r3 of 3\n"


@on_sqlite
def test_a_store_that_does_not_answer_is_named_with_the_remedy(store):
    saved(db, 2)
    nowhere = {"URL": "redis://127.0.0.1:1/0", "OPTIONS": {"socket_connect_timeout": 1}}
    with (
        engines("db", "redis"),
        override_settings(SESSION_REDIS=nowhere),
        pytest.raises(CommandError, match=r"Start Redis, or correct its address\."),
    ):
        call_command("movesessions", stdout=StringIO())
    assert len(names_in(db)) == 2


@on_sqlite
def test_what_is_no_failure_of_a_store_is_raised_as_it_is(store):
    saved(db, 1)
    with (
        engines("db", "redis"),
        mock.patch.object(carriage, "_carried", side_effect=ZeroDivisionError),
        pytest.raises(ZeroDivisionError),
    ):
        call_command("movesessions", stdout=StringIO())
