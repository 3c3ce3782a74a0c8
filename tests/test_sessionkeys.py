"""``manage.py sessionkeys``: how many sessions are stored under keys of which form."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.utils import timezone

from tests import redis_servers

PLAIN, HASHED, BOTH = ["plain"], ["hashed"], ["hashed", "plain"]


def said(**options):
    out = io.StringIO()
    call_command("sessionkeys", stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def fill(store):
    def fill(**numbers):
        for form, number in numbers.items():
            with override_settings(SESSION_KEY_STORAGE=[form]):
                for _ in range(number):
                    session = store.SessionStore()
                    session["colour"] = "green"
                    session.save()

    return fill


@pytest.mark.stores("db", "cached_db", "file", "redis")
def test_it_counts_by_the_form_and_says_how_many_are_left(fill):
    fill(plain=2, hashed=3)
    with override_settings(SESSION_KEY_STORAGE=BOTH):
        plain, hashed, outcome = said().splitlines()
    assert (plain.split(), hashed.split()) == (["plain", "2"], ["hashed", "3"])
    assert outcome == "2 sessions are left, to be stored under hashed keys when next saved."
    with override_settings(SESSION_KEY_STORAGE=["plain", "hashed"]):
        assert "3 sessions are left, to be stored under plain keys" in said()


@pytest.mark.stores("db", "file")
def test_it_counts_one_and_none(fill):
    with override_settings(SESSION_KEY_STORAGE=BOTH):
        outcome = "SESSION_KEY_STORAGE = ['hashed'] finds all of them."
        assert said().splitlines()[-1] == outcome
        fill(plain=1)
        assert "1 session is left" in said()
        assert json.loads(said(json=True)) == {"plain": 1, "hashed": 0}


@pytest.mark.stores("db")
@pytest.mark.parametrize(("form", "other"), [("hashed", "plain"), ("plain", "hashed")])
def test_it_says_how_many_the_settings_do_not_find(fill, form, other):
    fill(**{other: 2})
    with override_settings(SESSION_KEY_STORAGE=[form]):
        outcome = said().splitlines()[-1]
    assert outcome == (
        f"2 sessions are not found, as SESSION_KEY_STORAGE = ['{form}'] names one form alone. "
        f"SESSION_KEY_STORAGE = ['{form}', '{other}'] finds all of them."
    )


@pytest.mark.stores("db")
def test_it_counts_neither_what_has_expired_nor_what_leads_to_a_new_key(store, fill):
    fill(plain=1)
    over = store.SessionStore()
    over.set_expiry(timezone.now() - timedelta(days=1))
    over.save()
    moved = store.SessionStore()
    moved["colour"] = "green"
    moved.save()
    moved.cycle_key()
    assert json.loads(said(json=True)) == {"plain": 2, "hashed": 0}


@pytest.mark.stores("redis", "cache", cache=(None, "redis", "django_redis"))
def test_it_counts_in_redis_what_it_lists(fill):
    fill(plain=2, hashed=3)
    with override_settings(SESSION_KEY_STORAGE=BOTH):
        assert json.loads(said(json=True)) == {"plain": 2, "hashed": 3}
        outcome = "2 sessions are left, to be stored under hashed keys when next saved."
        assert said().splitlines()[-1] == outcome


def said_of_a_store_that_renames_nothing(fill):
    with override_settings(SESSION_KEY_STORAGE=BOTH):
        fill(plain=1, hashed=3)
        one = said().splitlines()[-1]
        fill(plain=1)
        two = said().splitlines()[-1]
    until = "until its key changes, as at a login, or until it ends."
    assert one == f"1 session is left. This store does not rename it: it stays {until}"
    assert two == f"2 sessions are left. This store does not rename them: each stays {until}"


@pytest.mark.slow
@pytest.mark.stores("redis")
def test_of_a_cluster_it_does_not_say_that_a_save_is_enough(fill, cache_prefixes):
    redis_servers.needed(redis_servers.cluster)
    config = redis_servers.place({"redis-cluster"}) | {"OPTIONS": redis_servers.PATIENT}
    with override_settings(SESSION_REDIS=config | {"PREFIX": f"{next(cache_prefixes)}:"}):
        said_of_a_store_that_renames_nothing(fill)


@pytest.mark.stores("file")
def test_nor_of_any_other_store_without_a_rename(store, fill, monkeypatch):
    monkeypatch.setattr(store.Storage, "atomic_rename", False)
    said_of_a_store_that_renames_nothing(fill)


@pytest.mark.stores("db")
def test_nor_while_sessions_move(store, fill, tmp_path):
    places = {"FROM": store.engine, "TO": store.engine.replace(".db", ".file")}
    moving = {"SESSION_ENGINE": store.engine.replace(".db", ".moving"), "SESSION_MOVE": places}
    with override_settings(SESSION_FILE_PATH=tmp_path, **moving):
        said_of_a_store_that_renames_nothing(fill)


@pytest.mark.stores("cache", cache="locmem")
def test_a_store_that_cannot_count_its_sessions_says_so(store):
    with pytest.raises(CommandError, match="cannot be counted by their keys"):
        said()


@pytest.mark.stores("file")
def test_a_store_that_fails_is_said_in_a_sentence(store):
    with (
        override_settings(SESSION_FILE_PATH="/no/such/directory"),
        pytest.raises(CommandError, match=r"is not a directory.* Run 'manage.py check'"),
    ):
        said()


@pytest.mark.stores("signed_cookies")
def test_an_engine_without_a_storage_says_so(store):
    with pytest.raises(CommandError, match="no effect on the session engine"):
        said()


def test_an_engine_of_django_says_which_engines_hash():
    engine = "django.contrib.sessions.backends.db"
    with (
        override_settings(SESSION_ENGINE=engine),
        pytest.raises(CommandError, match=f"engine '{engine}'. Set SESSION_ENGINE to 'dj_sess"),
    ):
        said()
