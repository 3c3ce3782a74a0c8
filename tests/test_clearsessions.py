"""`manage.py clearsessions`: expired sessions go, others stay; its options and what it says."""

import os
import re
import signal
import sys
from datetime import timedelta
from io import StringIO
from types import ModuleType

import pytest
from django.core.management import CommandError, call_command, get_commands
from django.db import connections
from django.test import override_settings

from dj_sessions.backends import db
from dj_sessions.backends.base import SessionBase
from dj_sessions.management.commands import clearsessions
from dj_sessions.registry import Registry
from tests.counters import statements
from tests.docs.pages import docs
from tests.subclasses.engines import memory, stored


def clear(*arguments, **options):
    out, err = StringIO(), StringIO()
    call_command("clearsessions", *arguments, stdout=out, stderr=err, **options)
    return out.getvalue() + err.getvalue()


def test_the_command_is_ours():
    assert get_commands()["clearsessions"] == "dj_sessions"


def saved(store, expiry):
    session = store.SessionStore()
    session["colour"] = "green"
    session.set_expiry(expiry)
    session.save()
    return session.session_key


def expired(store, number=3):
    return [saved(store, timedelta(seconds=-60)) for _ in range(number)]


def is_kept(store, key):
    if store.kind == "file":
        return (store.path / f"sessionid{key}").exists()
    return store.SessionStore.get_model_class().objects.filter(pk=key).exists()


@pytest.mark.stores(name=("db-sqlite",))
def test_a_registry_that_keeps_nothing_is_given_no_line(store, monkeypatch):
    quiet, telling = Registry(), Registry()
    monkeypatch.setattr(telling, "purge", lambda: "The list: 1 removed.", raising=False)
    monkeypatch.setattr(clearsessions, "registries", [quiet, telling])
    assert clear().splitlines() == ["Removed 0 expired sessions.", "The list: 1 removed."]


# -- what goes and what stays


@pytest.mark.stores("db", "cached_db", "file")
def test_expired_sessions_are_removed_and_others_stay(store):
    over = expired(store)
    alive = [saved(store, expiry) for expiry in (timedelta(hours=1), 60, 0, None)]
    assert clear() == "Removed 3 expired sessions.\n"
    assert not any(is_kept(store, key) for key in over)
    assert all(store.SessionStore(key)["colour"] == "green" for key in alive)


@pytest.mark.stores("db", database="sqlite")
def test_what_is_expired_is_there_until_the_command_runs(store):
    """So that the test above removes something."""
    key = saved(store, timedelta(seconds=-60))
    assert is_kept(store, key)


@pytest.mark.stores("cache", "signed_cookies")
def test_what_is_forgotten_by_itself_leaves_nothing_to_do(store):
    key = saved(store, timedelta(hours=1))
    assert clear() == "Removed 0 expired sessions.\n"
    assert clear("--batch-size=2", "--sleep=1", "--limit=3") == "Removed 0 expired sessions.\n"
    assert clear("--dry-run", "--limit=3") == "Would remove 0 expired sessions.\n"
    assert store.SessionStore(key)["colour"] == "green"


@pytest.mark.stores("file")
def test_an_empty_directory_is_no_problem(store):
    assert clear() == "Removed 0 expired sessions.\n"


@pytest.mark.stores("db", database="sqlite")
def test_an_empty_store_is_no_problem(store):
    assert clear() == "Removed 0 expired sessions.\n"


# -- options


@pytest.mark.stores("db", "cached_db", "file")
def test_a_dry_run_counts_and_removes_nothing(store):
    over = expired(store)
    saved(store, None)
    assert clear("--dry-run") == "Would remove 3 expired sessions.\n"
    assert clear("--dry-run", "--limit=2") == "Would remove 2 expired sessions.\n"
    assert all(is_kept(store, key) for key in over)


@pytest.mark.stores("db", "cached_db", "file")
@pytest.mark.parametrize("size", [1, 2, 500])
def test_a_limit_is_kept_whatever_the_batches(store, size):
    over = expired(store, 5)
    said = clear(f"--batch-size={size}", "--limit=3")
    assert said == "Removed 3 expired sessions, which is the limit; there may be more.\n"
    assert sum(is_kept(store, key) for key in over) == 2
    assert clear("--limit=3") == "Removed 2 expired sessions.\n"


@pytest.mark.stores("db")
def test_the_first_to_expire_are_the_first_to_go(store):
    keys = [saved(store, timedelta(minutes=-ago)) for ago in (10, 50, 30, 20, 40)]
    clear("--limit=2", "--batch-size=1")
    assert [is_kept(store, key) for key in keys] == [True, False, True, True, False]


@pytest.mark.stores("db")
def test_batches_are_transactions_of_the_size_asked_for(store):
    expired(store, 5)
    with statements() as seen:
        assert clear("--batch-size=2") == "Removed 5 expired sessions.\n"
    assert len([sql for sql in seen if "DELETE FROM" in sql]) == 3
    # Alone, a statement is a transaction.
    assert seen.count("COMMIT") == {"default": 0, "mariadb": 0, "postgres": 3}[store.database]


@pytest.mark.stores("db", "file")
def test_it_sleeps_between_batches_and_not_after_the_last(store, monkeypatch):
    slept = []
    monkeypatch.setattr("time.sleep", slept.append)
    expired(store, 5)
    clear("--batch-size=2", "--sleep=7.5", "--limit=4")
    assert slept == [7.5]


@pytest.mark.stores("db")
def test_without_a_choice_only_sqlite_s_lock_is_left_free_for_others(store, monkeypatch):
    slept = []
    monkeypatch.setattr("time.sleep", slept.append)
    expired(store, 3)
    clear("--batch-size=2")
    assert len(slept) == 1
    assert slept[0] > 0.01 if store.database == "default" else slept == [0]


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("batch_size", 0, "--batch-size must be a whole number, from 1 to 10000, not 0"),
        ("batch_size", -1, "--batch-size must be a whole number, from 1 to 10000, not -1"),
        ("batch_size", 10_001, "--batch-size must be a whole number, from 1 to 10000, not 10001"),
        ("sleep", -0.5, "--sleep must be a number, from 0 to 86400, not -0.5"),
        ("sleep", 1e300, "--sleep must be a number, from 0 to 86400, not 1e+300"),
        ("sleep", float("nan"), "--sleep must be a number, from 0 to 86400, not nan"),
        ("sleep", float("inf"), "--sleep must be a number, from 0 to 86400, not inf"),
        ("limit", 0, "--limit must be a whole number, 1 or more, not 0"),
    ],
)
def test_an_impossible_number_is_an_error_however_it_comes(option, value, said):
    for given in (clear, lambda **o: clear(f"--{option.replace('_', '-')}={value}")):
        with pytest.raises(CommandError, match=re.escape(said)):
            given(**{option: value})


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("batch_size", "2", "--batch-size must be a whole number, from 1 to 10000, not '2'"),
        ("sleep", "1", "--sleep must be a number, from 0 to 86400, not '1'"),
        ("limit", "2", "--limit must be a whole number, 1 or more, not '2'"),
        ("limit", 2.5, "--limit must be a whole number, 1 or more, not 2.5"),
    ],
)
def test_what_code_passes_as_a_number_must_be_one(option, value, said):
    with pytest.raises(CommandError, match=re.escape(said)):
        clear(**{option: value})


@pytest.mark.stores("db", database="sqlite")
def test_verbosity_0_says_nothing(store):
    expired(store)
    assert clear(verbosity=0) == ""
    assert clear("--dry-run", verbosity=0) == ""


# -- engines of others


def engine_of(monkeypatch, base, **attributes):
    module = ModuleType("own_engine")
    module.SessionStore = type("SessionStore", (base,), attributes)
    monkeypatch.setitem(sys.modules, "own_engine", module)
    return override_settings(SESSION_ENGINE="own_engine")


def test_an_engine_that_cannot_clear_is_a_command_error_that_names_it(monkeypatch):
    with (
        engine_of(monkeypatch, SessionBase),
        pytest.raises(
            CommandError, match="'own_engine' doesn't support clearing expired"
        ) as caught,
    ):
        clear()
    assert isinstance(caught.value.__cause__, NotImplementedError)


def test_another_error_is_not_taken_for_that(monkeypatch):
    def clear_expired(cls):
        raise OSError("the disk is gone")

    own = {"clear_expired": classmethod(clear_expired)}
    with engine_of(monkeypatch, SessionBase, **own), pytest.raises(OSError, match="disk"):
        clear()


@pytest.mark.parametrize("base", [memory.SessionStore, db.SessionStore, SessionBase])
@pytest.mark.parametrize("form", [classmethod, staticmethod])
def test_a_clear_expired_of_one_s_own_is_called_as_it_is(monkeypatch, base, form):
    calls = []
    own = {"clear_expired": form(lambda *cls: calls.append(len(cls)))}
    with engine_of(monkeypatch, base, **own):
        assert clear() == "Called clear_expired() of session engine 'own_engine'.\n"
    assert len(calls) == 1


@pytest.mark.parametrize(
    "option", ["--batch-size=5", "--sleep=0", "--sleep=1", "--limit=5", "--dry-run"]
)
def test_and_refuses_the_options_that_it_would_not_obey(monkeypatch, option):
    own = {"clear_expired": classmethod(lambda cls: pytest.fail("it was called"))}
    with (
        engine_of(monkeypatch, db.SessionStore, **own),
        pytest.raises(CommandError, match=f"takes no options. Leave out {option.split('=')[0]}"),
    ):
        clear(option)


def test_a_store_over_a_storage_of_five_methods_is_cleared_in_batches(monkeypatch):
    sizes = []

    class Counting(stored.DictStorage):
        def purge(self, now, batch):
            sizes.append(batch)
            return batch if len(sizes) < 3 else 1

    own = {"get_storage": lambda self: Counting({})}
    with engine_of(monkeypatch, stored.SessionStore, **own):
        assert clear("--batch-size=4") == "Removed 9 expired sessions.\n"
        assert sizes == [4, 4, 4]
        with pytest.raises(CommandError, match=r"cannot count expired sessions.*--dry-run"):
            clear("--dry-run")


@pytest.mark.stores("db")
@pytest.mark.modes("sync", "async")
def test_clear_expired_takes_no_arguments_and_clears_all(store, mode):
    over = expired(store, 3)
    assert mode.wrap(store.SessionStore).clear_expired() is None
    assert not any(is_kept(store, key) for key in over)


# -- how it ends


@pytest.mark.stores("db")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_the_batch_finish_and_says_what_was_done(store, monkeypatch, number, code):
    model = store.SessionStore.get_model_class()
    expired(store, 5)
    deleted = []

    def interrupt(connection_execute, sql, *args):
        result = connection_execute(sql, *args)
        if "DELETE FROM" in sql:
            deleted.append(sql)
            os.kill(os.getpid(), number)
        return result

    before = signal.getsignal(number)
    with (
        connections[store.database].execute_wrapper(interrupt),
        pytest.raises(CommandError, match=r"Ended by SIG.* after 2 expired sessions") as caught,
    ):
        clear("--batch-size=2", "--sleep=60")
    assert caught.value.returncode == code
    assert model.objects.count() == 3
    assert len(deleted) == 1
    assert signal.getsignal(number) == before


@pytest.mark.stores("db", database="sqlite")
def test_a_signal_ends_a_sleep(store, monkeypatch):
    expired(store, 5)

    def sleep(seconds):
        assert seconds == 3600
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("time.sleep", sleep)
    with pytest.raises(CommandError, match="Ended by SIGTERM after 2 expired sessions"):
        clear("--batch-size=2", "--sleep=3600")


@pytest.mark.stores("db", database="sqlite")
def test_a_signal_that_another_language_handles_is_left_to_it(store, monkeypatch):
    """`getsignal()` tells None for a handler that was not set from Python."""
    own, replaced, set_handler = signal.getsignal, [], signal.signal

    def record(number, handler):
        replaced.append(number)
        return set_handler(number, handler)

    monkeypatch.setattr(
        signal, "getsignal", lambda number: None if number == signal.SIGTERM else own(number)
    )
    monkeypatch.setattr(signal, "signal", record)
    assert clear() == "Removed 0 expired sessions.\n"
    assert replaced == [signal.SIGINT, signal.SIGINT]


@pytest.mark.stores("db", database="sqlite")
def test_an_error_says_what_had_been_done_before_it(store, monkeypatch):
    expired(store, 5)
    err = StringIO()
    monkeypatch.setattr("time.sleep", lambda seconds: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        call_command("clearsessions", "--batch-size=2", stderr=err)
    assert "2 expired sessions had been removed." in err.getvalue()


def refuse(*arguments, **options):
    raise ConnectionRefusedError("Nobody listens")


IN_WORDS = "ConnectionRefusedError: Nobody listens. Start the server, or correct its address"


@pytest.mark.stores(name=("db-sqlite",))
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_a_store_that_is_down_is_told_in_words(store, monkeypatch, options):
    monkeypatch.setattr(store.SessionStore, "_start_purge", classmethod(refuse))
    with pytest.raises(CommandError, match=IN_WORDS):
        clear(*options)


@pytest.mark.stores(name=("db-sqlite",))
def test_so_is_one_of_which_a_list_has_asked(store, monkeypatch):
    registry = Registry()
    monkeypatch.setattr(registry, "purge", refuse, raising=False)
    monkeypatch.setattr(clearsessions, "registries", [registry])
    with pytest.raises(CommandError, match=IN_WORDS):
        clear()


# -- progress


class Terminal(StringIO):
    def isatty(self):
        return True


@pytest.mark.stores("db", "file")
@pytest.mark.parametrize("bar", ["tqdm", None])
def test_a_terminal_shows_how_far_it_is(store, monkeypatch, bar):
    if bar:
        pytest.importorskip(bar)
    else:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    expired(store, 5)
    out, err = StringIO(), Terminal()
    call_command("clearsessions", "--batch-size=2", "--no-color", stdout=out, stderr=err)
    assert out.getvalue() == "Removed 5 expired sessions.\n"
    if bar:
        assert "5.00" in err.getvalue()
    else:
        total = " of 5" if store.kind == "db" else ""
        assert err.getvalue() == f"\r2{total}\r4{total}\r5{total}\n"


@pytest.mark.stores("db", "file")
def test_a_terminal_without_tqdm_shows_no_progress_of_nothing(store, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    out, err = StringIO(), Terminal()
    call_command("clearsessions", "--no-color", stdout=out, stderr=err)
    assert (out.getvalue(), err.getvalue()) == ("Removed 0 expired sessions.\n", "")


@pytest.mark.stores("db", database="sqlite")
def test_a_terminal_shows_nothing_with_verbosity_0(store):
    expired(store, 5)
    err = Terminal()
    call_command("clearsessions", verbosity=0, stderr=err)
    assert err.getvalue() == ""


def test_the_page_names_every_option_and_every_exit_code():
    text = docs("clearing").text
    for option in ("--batch-size", "--sleep", "--limit", "--dry-run", "--verbosity"):
        assert f"`{option}" in text
    assert [row["Code"] for row in docs("clearing").sections["Exit codes"].rows] == [
        *("`0`", "`1`", "`2`", "`130`", "`143`")
    ]
