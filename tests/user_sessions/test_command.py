"""``manage.py usersessions``, and the export."""

import json
import os
import signal
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from io import StringIO
from unittest import mock

import pytest
from django.contrib.auth import SESSION_KEY, get_user_model
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.utils import timezone

from dj_sessions import _keys
from dj_sessions.models import Session
from dj_sessions.registry import registries
from dj_sessions.user_sessions import end_sessions, export_sessions, indexing, sessions_of
from dj_sessions.user_sessions.models import UserSession
from tests.user_sessions.rows import FIREFOX, row_of, session_of

one_store = pytest.mark.stores("db", database="sqlite")
LISTED = pytest.mark.stores("db", "cached_db", "file", database=(None, "sqlite", "postgres"))
DAY = timedelta(days=1)
#: What --index --json says where there is nothing.
INDEXED = {"added": 0, "listed": 0, "anonymous": 0, "unreadable": 0}


def said(*options, answer=None):
    return printed(*options, answer=answer)[0]


def printed(*options, answer=None):
    """What the command writes to stdout, and to stderr."""
    out, err = StringIO(), StringIO()
    keyboard = StringIO(f"{answer}\n" if answer else "")
    with mock.patch.object(sys, "stdin", keyboard), redirect_stdout(out), redirect_stderr(err):
        call_command("usersessions", *options)
    return out.getvalue(), err.getvalue()


def told(*options):
    return json.loads(said("--json", *options))


def is_stored(store, row):
    return store.SessionStore().get_storage().holds(row.stored_key)


class Terminal(StringIO):
    def isatty(self):
        return True


@pytest.fixture
def boss(user):
    return get_user_model().objects.create_superuser("boss", "boss@example.com", "secret")


# Listing


@one_store
def test_it_counts_them_and_those_that_are_nobody_s(user, boss):
    assert said().splitlines()[0] == "0 sessions of 0 users."
    row_of(user), row_of(user), row_of(boss)
    row_of(user, engine="dj_sessions.backends.file")
    row_of(user, ended=timezone.now())
    session_of(None, cart=1)
    session_of(None, cart=2)
    lines = said().splitlines()
    assert lines[0] == "4 sessions of 2 users:"
    assert [line.split() for line in lines[1:3]] == [
        ["3", "dj_sessions.backends.db"],
        ["1", "dj_sessions.backends.file"],
    ]
    found = told()
    assert found["sessions"] == {"dj_sessions.backends.db": 3, "dj_sessions.backends.file": 1}
    # Of one that is listed under another engine nobody knows whether it has moved to this one.
    assert (found["users"], found["ended"], found["stored"], found["not_listed"]) == (2, 1, 7, 4)


@one_store
def test_what_is_listed_under_another_engine_hides_no_unlisted_session(user):
    for _ in range(3):
        row_of(user, session_of(None, cart=1), engine="dj_sessions.backends.cache")
    Session.objects.all().delete()
    session_of(None, cart=2)
    assert (told()["stored"], told()["not_listed"]) == (1, 1)
    assert "has stored 1 session, 1 of them unlisted" in said()


@pytest.mark.stores(name=("redis",))
def test_while_sessions_move_those_listed_under_both_engines_are_listed(user, settings, store):
    move = {"FROM": "dj_sessions.backends.db", "TO": store.engine}
    settings.SESSION_ENGINE, settings.SESSION_MOVE = "dj_sessions.backends.moving", move
    for engine in (*move.values(), settings.SESSION_ENGINE):
        row_of(user, engine=engine)
    session_of(None, cart=1)
    assert (told()["stored"], told()["not_listed"]) == (4, 1)


@pytest.mark.stores("signed_cookies", "cache", cache=(None, "locmem"))
def test_it_says_of_which_engines_it_cannot_tell(user, store):
    assert f"{store.engine} cannot count what it has stored." in said()
    assert told()["not_listed"] is None
    with pytest.raises(CommandError, match="cannot list what it has stored"):
        said("--index")


@one_store
def test_it_lists_those_that_are_asked_for(user, boss):
    old = timezone.now() - 3 * DAY
    first = row_of(user, created=old, last_seen=old)
    second = row_of(user, created=old)
    third = row_of(boss)
    over = row_of(user, ended=timezone.now(), reason="limit")
    day = f"{timezone.now() - DAY:%Y-%m-%d}"
    for options, expected in (
        (["--all"], {first, second, third}),
        (["--user", "ada"], {first, second}),
        (["--user", "ada", "--user", "boss"], {first, second, third}),
        (["--id", third.public_id], {third}),
        (["--logged-in-before", day], {first, second}),
        (["--seen-before", f"{day}T12:30"], {first}),
        (["--all", "--except-staff"], {first, second}),
        (["--all", "--except-user", "ada"], {third}),
        (["--except-staff"], {first, second}),
        (["--ended"], {over}),
    ):
        assert {found["public_id"] for found in told(*options)} == {
            row.public_id for row in expected
        }, options
    headings, line = said("--id", first.public_id).splitlines()
    assert line.split()[:2] == [first.public_id, "ada"]
    assert line[headings.index("STATE") :].startswith("live")
    assert "too many sessions" in said("--ended")
    assert said("--id", "nothing") == "There are none.\n"


@one_store
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--user", "nobody"], "There is no user whose username is 'nobody'"),
        (["--seen-before", "yesterday"], "must be like 2026-11-01 or .*, not 'yesterday'"),
        (["--seen-before", "2026-02-31"], "not '2026-02-31'"),
        (["--end"], "Say which sessions to end"),
        (["--end", "--except-staff"], "Say which sessions to end"),
        (["--end", "--user", "ada", "--ended"], "--ended shows what has ended"),
        (["--index", "--user", "ada"], "--index lists the sessions of all users"),
        (["--after", "a"], "--after says where --index begins"),
        (["--export"], "add --user NAME"),
        (["--index", "--batch-size", "0"], "--batch-size must be a whole number"),
    ],
)
def test_it_says_what_cannot_be(user, options, problem):
    with pytest.raises(CommandError, match=problem):
        said(*options)


# Ending


@pytest.mark.stores("db", "cache", "file", database=(None, "sqlite"), cache=(None, "locmem"))
def test_it_ends_those_of_one_user(user, boss, store):
    mine, other = [row_of(user) for _ in range(3)], row_of(boss)
    assert said("--end", "--user", "ada", "--dry-run") == "Would end 3 sessions of 1 user.\n"
    assert told("--end", "--user", "ada", "--no-input", "--batch-size", "2") == {"ended": 3}
    assert not any(is_stored(store, row) for row in mine)
    assert is_stored(store, other)
    assert not sessions_of(user).exists()
    assert said("--end", "--user", "ada") == "Ended 0 sessions.\n"


@one_store
def test_many_are_ended_when_it_is_confirmed_and_not_before(user, boss, store):
    rows = [row_of(user), row_of(user), row_of(boss)]
    everyone = "--end", "--all", "--except-staff"
    with pytest.raises(CommandError, match=r"Nobody is there to confirm it: add --no-input\."):
        said(*everyone)
    with pytest.raises(CommandError, match="Nothing was ended"):
        said(*everyone, answer="no")
    interrupted = mock.patch("builtins.input", side_effect=KeyboardInterrupt)
    with interrupted, pytest.raises(CommandError, match="Nothing was ended") as refusal:
        said(*everyone)
    assert refusal.value.returncode == 130
    assert all(is_stored(store, row) for row in rows)
    assert said(*everyone, answer="yes") == "Ended 2 sessions.\n"
    assert [is_stored(store, row) for row in rows] == [False, False, True]
    assert said("--end", "--id", rows[2].public_id) == "Ended 1 session.\n"


@one_store
def test_the_question_is_no_part_of_the_json(user, boss):
    row_of(user), row_of(user), row_of(boss)
    out, err = printed("--end", "--user", "ada", "--json", answer="yes")
    assert json.loads(out) == {"ended": 2}
    assert err == "This ends 2 sessions of 1 user. Type 'yes' to go on: "


def interrupting(method, after):
    """Interrupt this process in the call of that number."""
    calls = []

    def call(self, *arguments, **options):
        calls.append(self)
        if len(calls) == after:
            os.kill(os.getpid(), signal.SIGINT)
        return method(self, *arguments, **options)

    return call


@one_store
def test_ctrl_c_ends_it_between_two_sessions(user, store):
    rows = [row_of(user) for _ in range(3)]
    chosen = [word for row in rows for word in ("--id", row.public_id)]
    with (
        mock.patch.object(UserSession, "end", interrupting(UserSession.end, 2)),
        pytest.raises(CommandError, match=r"Ended by SIGINT\. Ended 2 sessions\. Run") as caught,
    ):
        said("--end", *chosen, "--no-input")
    assert caught.value.returncode == 130
    assert [is_stored(store, row) for row in rows] == [False, False, True]


# Indexing


@contextmanager
def before_the_app():
    """What is stored here is not listed."""
    told = list(registries)
    registries.clear()
    yield
    registries[:] = told


@LISTED
@pytest.mark.parametrize("forms", [["plain"], ["hashed", "plain"]], ids="-".join)
def test_it_lists_what_was_stored_before(user, boss, store, forms):
    begun = timezone.now()
    with override_settings(SESSION_KEY_STORAGE=forms, SESSION_IDLE_AGE=900):
        with before_the_app():
            known, mine, theirs = session_of(user), session_of(user), session_of(boss)
            session_of(None, cart=1)
            session_of(None, **{SESSION_KEY: "987654"})  # of somebody whose account is gone
        kept = row_of(user, known, user_agent="known")
        assert told("--index", "--dry-run")["added"] == 2
        assert UserSession.objects.count() == 1
        assert said("--index", "--batch-size", "2") == (
            "Listed 2 sessions. Listed before: 1. Nobody's: 2.\n"
        )
        assert told("--index") == {"added": 0, "listed": 3, "anonymous": 2, "unreadable": 0}
        kept.refresh_from_db()
        assert kept.user_agent == "known"
        row = sessions_of(user).get(public_id=mine.public_id)
        assert row.end()
        assert not store.SessionStore().exists(mine.session_key)
        [row] = sessions_of(boss)
        assert (row.engine, row.is_of(theirs)) == (store.engine, True)
        now = timezone.now()
        assert now - timedelta(seconds=60) < row.last_seen < now
        assert timedelta(seconds=840) < row.expires - now < timedelta(seconds=900)
        # It is known to the second, and no two have begun in the same moment.
        assert begun - timedelta(seconds=2) < row.created <= row.last_seen


@LISTED
def test_sessions_that_began_in_one_second_are_several(user, store):
    with override_settings(SESSION_ABSOLUTE_AGE=900), before_the_app():
        sessions = [session_of(user) for _ in range(5)]
    said("--index")
    assert end_sessions(user, keep=sessions[0]) == 4
    assert [store.SessionStore().exists(each.session_key) for each in sessions].count(True) == 1


@pytest.mark.stores(name=("redis", "cache-redis"))
def test_a_store_that_lists_names_alone_is_read_as_well(user, store):
    with before_the_app():
        sessions = [session_of(user), session_of(user), session_of(None, cart=1)]
    keys = [session.session_key for session in sessions]
    assert told("--index") == {"added": 2, "listed": 0, "anonymous": 1, "unreadable": 0}
    assert said("--end", "--all", "--no-input") == "Ended 2 sessions.\n"
    assert [store.SessionStore().exists(key) for key in keys] == [False, False, True]


@LISTED
def test_index_says_where_sessions_are_that_have_moved(user, store):
    moved, over = (row_of(user, engine="shop.before", user_agent="known") for _ in range(2))
    UserSession.objects.filter(pk=over.pk).update(ended=timezone.now())
    assert told("--index", "--dry-run")["listed"] == 2
    assert set(UserSession.objects.values_list("engine", flat=True)) == {"shop.before"}
    assert told("--index") == {"added": 0, "listed": 2, "anonymous": 0, "unreadable": 0}
    moved.refresh_from_db()
    over.refresh_from_db()
    assert (moved.engine, moved.user_agent, over.engine) == (store.engine, "known", "shop.before")


@pytest.mark.stores(name=("redis",))
@pytest.mark.parametrize("options", [["--all"], ["--end", "--all", "--no-input"], ["--index"]])
def test_a_store_that_is_down_is_said_in_a_sentence(user, store, options):
    session_of(user)
    with (
        override_settings(SESSION_REDIS={"URL": "redis://127.0.0.1:1/0"}),
        pytest.raises(CommandError, match="Start Redis, or correct its address"),
    ):
        said(*options)


@one_store
def test_what_has_ended_or_cannot_be_read_is_not_listed(user, store):
    with override_settings(SESSION_IDLE_AGE=900):
        with before_the_app():
            session_of(user)
            broken, later = session_of(user), datetime.now(UTC) + timedelta(seconds=1200)
        model = store.SessionStore.get_model_class()
        model.objects.filter(pk=broken.session_key).update(session_data="forged")
        with mock.patch.object(timezone, "now", return_value=later):
            model.objects.update(expire_date=later + DAY)
            found = {"added": 0, "listed": 0, "anonymous": 0, "unreadable": 1}
            assert told("--index") == found


@one_store
def test_a_login_may_come_in_between(user):
    with before_the_app():
        session = session_of(user)
    known = indexing._known

    def meanwhile(rows):
        found = known(rows)
        row_of(user, session, user_agent="of the login")
        return found

    with mock.patch.object(indexing, "_known", meanwhile):
        said("--index")
    [row] = UserSession.objects.all()
    assert row.user_agent == "of the login"


@one_store
def test_sessions_of_accounts_that_are_gone_are_listed_and_ended(store):
    session = session_of(None, **{SESSION_KEY: "987654"})
    assert said("--all").splitlines()[1].split()[:2] == [session.public_id, "(987654)"]
    assert said("--end", "--all", "--except-staff") == "Ended 1 session.\n"
    assert not store.SessionStore().exists(session.session_key)


@pytest.mark.stores("db", "cached_db", database=("sqlite", "postgres"))
def test_ctrl_c_ends_it_between_two_batches_and_the_next_run_goes_on(user, store):
    with before_the_app():
        keys = sorted(session_of(user).session_key for _ in range(4))
    write = interrupting(indexing.Indexing._write, 2)
    with (
        mock.patch.object(indexing.Indexing, "_write", write),
        pytest.raises(CommandError) as caught,
    ):
        said("--index", "--batch-size", "1")
    assert str(caught.value) == (
        "Ended by SIGINT. Listed 2 sessions. Listed before: 0. Nobody's: 0. Run the command again "
        f"for the rest, or begin where it ended: --after {keys[1][:6]}."
    )
    # As it shows a part of the name, it looks at the last one again.
    assert told("--index", "--after", keys[1]) == INDEXED | {"added": 2}
    assert told("--index", "--after", keys[1][:6])["listed"] == 3
    assert told("--index") == INDEXED | {"listed": 4}


@one_store
def test_the_name_of_a_hashed_key_is_no_home_directory_to_a_shell(user):
    with override_settings(SESSION_KEY_STORAGE=["hashed"]):
        with before_the_app():
            names = sorted(_keys.hashed(session_of(user).session_key) for _ in range(2))
        write = interrupting(indexing.Indexing._write, 1)
        with (
            mock.patch.object(indexing.Indexing, "_write", write),
            pytest.raises(CommandError) as caught,
        ):
            said("--index", "--batch-size", "1")
        assert str(caught.value).endswith(f"--after '{names[0][:6]}'.")


@pytest.mark.stores("file")
def test_ctrl_c_names_nothing_where_sessions_have_no_order(user, store):
    with before_the_app():
        session_of(user), session_of(user)
    write = interrupting(indexing.Indexing._write, 1)
    with (
        mock.patch.object(indexing.Indexing, "_write", write),
        pytest.raises(CommandError, match=r"Nobody's: 0\. Run the command again for the rest\.$"),
    ):
        said("--index", "--batch-size", "1")


@pytest.mark.stores(name=("file", "redis", "cache-redis", "signed_cookies"))
def test_it_begins_behind_a_name_where_sessions_have_an_order_alone(user, store):
    with pytest.raises(CommandError, match=r"lists its sessions in no order\. Leave out --after\."):
        said("--index", "--after", "a")


@one_store
def test_index_shows_of_how_many_it_has_done_how_many(user, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with before_the_app():
        session_of(user), session_of(user), session_of(None, cart=1)
    out, err = StringIO(), Terminal()
    call_command("usersessions", "--index", "--batch-size", "2", stdout=out, stderr=err)
    assert err.getvalue() == "\r2 of 3\r3 of 3\n"
    assert out.getvalue() == "Listed 2 sessions. Listed before: 0. Nobody's: 1.\n"


@one_store
def test_a_failure_says_what_was_listed_and_how_to_go_on(user):
    with before_the_app():
        keys = sorted(session_of(user).session_key for _ in range(2))
    write, err = indexing.Indexing._write, StringIO()

    def failing(self, rows):
        if self.last:
            raise ZeroDivisionError
        write(self, rows)

    with (
        mock.patch.object(indexing.Indexing, "_write", failing),
        pytest.raises(ZeroDivisionError),
    ):
        call_command("usersessions", "--index", "--batch-size", "1", stderr=err)
    assert err.getvalue() == (
        "Listed 1 session. Listed before: 0. Nobody's: 0. Run the command again for the rest, or "
        f"begin where it ended: --after {keys[0][:6]}.\n"
    )


# The export


@one_store
def test_what_is_kept_of_one_user_is_exported_without_keys(user, boss):
    session = session_of(user, note="very private")
    over, live = row_of(user, ended=timezone.now(), reason="limit"), row_of(user, session)
    row_of(boss)
    found = export_sessions(user)
    assert [each["public_id"] for each in found] == [over.public_id, live.public_id]
    assert found[1]["created"] == live.created.isoformat()
    assert (found[0]["reason"], found[1]["user_agent"]) == ("limit", FIREFOX)
    text = said("--export", "--user", "ada")
    assert json.loads(text) == found
    assert session.session_key not in text
    assert "very private" not in text
    kept = {field.name for field in UserSession._meta.fields}
    assert kept - set(found[0]) == {"id", "user", "stored_key"}


@one_store
def test_one_that_cannot_be_ended_keeps_no_other_alive_and_is_told(user, store, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    for _ in range(3):
        row_of(user)
    end, rows = UserSession.end, []

    def fail_once(row):
        rows.append(row)
        if len(rows) == 2:
            raise ZeroDivisionError
        return end(row)

    options = {"no_input": True, "logged_in_before": "2999-01-01", "stderr": (err := Terminal())}
    with (
        mock.patch.object(UserSession, "end", fail_once),
        pytest.raises(ZeroDivisionError),
    ):
        call_command("usersessions", end=True, stdout=StringIO(), **options)
    assert err.getvalue() == (
        "\r1 of 3\r2 of 3\nEnded 2 sessions. Run the command again for the others.\n"
    )
