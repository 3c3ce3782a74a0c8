"""What the page `operations` shows does what the text around it says."""

import json
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.test import Client, override_settings
from django.utils import timezone

import dj_sessions
from dj_sessions.backends import cache, cached_db
from dj_sessions.storage.rows.storage import RowStorage
from tests.contract.moments import after
from tests.counters import statements
from tests.docs.pages import docs
from tests.fresh import run

PAGE = docs("operations")


def test_the_figures_are_those_of_the_expired_rows(example, databases):
    figures = example("operations", "shop.session_figures").session_figures
    assert figures() == {"expired": 0, "seconds since the oldest expired": 0}
    now = timezone.now()
    for number, hours in enumerate((-30, -2, 5)):
        Session.objects.create(pk=f"{number:032}", expire_date=now + timedelta(hours=hours))
    found = figures()
    assert found["expired"] == 2
    assert found["seconds since the oldest expired"] == pytest.approx(30 * 3600, abs=60)


FAILING = """
    import json
    from django.core.management import call_command
    from dj_sessions.backends.cached_db import SessionStore

    call_command("migrate", verbosity=0)
    session = SessionStore()
    session["a"] = 1
    session.save()
    assert SessionStore(session.session_key)["a"] == 1
    assert session.decode("forged") == {}
"""


def test_the_loggers_write_what_is_to_be_watched():
    [fence] = [fence for fence in PAGE.settings if "LOGGING" in fence.text]
    said = run(
        FAILING,
        INSTALLED_APPS=["dj_sessions"],
        CACHES={
            "default": {
                "BACKEND": "django.core.cache.backends.redis.RedisCache",
                "LOCATION": "redis://127.0.0.1:1",
            }
        },
        **json.loads(json.dumps(fence.settings())),
    )
    assert " ERROR django.contrib.sessions: Error " in said
    assert " WARNING django.security.SuspiciousSession: Session data corrupted: " in said


@pytest.fixture
def copied(databases, fresh_caches):
    """Sessions of `cached_db`, each with a copy in the cache."""
    with override_settings(SESSION_ENGINE="dj_sessions.backends.cached_db"):
        sessions = [cached_db.SessionStore() for _ in range(3)]
        for number, session in enumerate(sessions):
            session["number"] = number
            session.save()
        yield [session.session_key for session in sessions]


def test_the_names_of_the_entries_are_those_on_the_page(copied):
    names = [row["Name, before Django adds `KEY_PREFIX` and version"] for row in rows("entries")]
    key = copied[0]
    session = cache.SessionStore()
    session.save()
    in_cache, copy, voucher, generation = names
    found = caches["default"]
    assert f"{prefix(in_cache)}{session.session_key}" in found
    assert f"{prefix(copy)}{key}" in found
    assert voucher == "the same, and `/tag`"
    assert f"{prefix(copy)}{key}/tag" in found
    assert prefix(generation) in found


def rows(word):
    [heading] = [heading for heading in PAGE.sections if word in heading]
    return PAGE.sections[heading].rows


def prefix(cell):
    return cell.split("`")[1]


def test_forgotten_copies_do_not_outlive_rows_that_sql_has_deleted(example, copied):
    forget = example("operations", "shop.forget_copies").forget_copies
    deleted, kept = copied[:1], copied[1:]
    delete_with_sql(deleted)
    assert number(deleted[0]) == 0  # the copy, which the page warns of
    forget(deleted)
    assert number(deleted[0]) is None
    with statements() as seen:
        assert [number(key) for key in kept] == [1, 2]
    assert len(seen) == 0


def test_without_a_generation_each_session_is_read_once_from_the_database(example, copied):
    delete_with_sql(copied[:1])
    example("operations", "shop.forget_copies").distrust_all_copies()
    assert number(copied[0]) is None
    for expected in (2, 0):
        with statements() as seen:
            assert [number(key) for key in copied[1:]] == [1, 2]
        assert len(seen) == expected


def test_a_logout_by_djangos_engine_leaves_a_copy_that_is_made_at_that_moment(example, copied):
    """As the page `switch` says; in a process of its own, where no receiver of ours hears of it."""
    ended, name = copied[0], f"{cached_db.KEY_PREFIX}{copied[0]}"

    def log_out():
        delete_with_sql([ended])
        caches["default"].delete(name)

    caches["default"].delete_many([name, f"{name}/tag"])
    with after(RowStorage, "read_written", log_out):
        assert number(ended) == 0
    assert number(ended) == 0
    example("operations", "shop.forget_copies").distrust_all_copies()
    assert number(ended) is None


def number(key):
    return cached_db.SessionStore(key).get("number")


def delete_with_sql(keys):
    Session.objects.filter(pk__in=keys)._raw_delete("default")


@pytest.mark.parametrize("engine", ["db", "cached_db"])
@pytest.mark.parametrize("size", [1, 2000])
def test_the_sessions_of_one_user_end_on_the_table_as_it_is(
    example, user, fresh_caches, engine, size
):
    module = example("operations", "shop.end_sessions")
    module.live_rows.__defaults__ = (size,)
    other = get_user_model().objects.create_user("bob")
    with override_settings(SESSION_ENGINE=f"dj_sessions.backends.{engine}"):
        laptop, phone, stranger = Client(), Client(), Client()
        for client, who in ((laptop, user), (phone, user), (stranger, other)):
            client.force_login(who)
        store = import_module(f"dj_sessions.backends.{engine}").SessionStore
        keys = [client.cookies["sessionid"].value for client in (laptop, phone, stranger)]
        module.end_sessions_of(user)
        assert [dict(store(key).items()) != {} for key in keys] == [False, False, True]
    assert [row.pk for row in Session.objects.all()] == keys[2:]


def test_nothing_of_the_package_needs_a_server_side_cursor():
    sources = Path(dj_sessions.__file__).parent.rglob("*.py")
    assert [path.name for path in sources if ".iterator(" in path.read_text()] == []
