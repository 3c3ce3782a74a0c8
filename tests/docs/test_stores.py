"""The stores of the page `extending` do what the text around them says."""

import logging
import re
import unittest
from dataclasses import replace
from importlib import import_module
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.auth import get_user
from django.core.cache import caches
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, override_settings

from dj_sessions.backends.db import SessionStore
from dj_sessions.exceptions import CreateError, InvalidSessionKey, UpdateError
from dj_sessions.testing import StorageContract
from dj_sessions.testing.renaming import UNDECLARED
from tests.counters import thread_hops
from tests.docs.pages import docs, example_site


@pytest.fixture(params=["db", "cached_db"])
def accounts(request, tmp_path, databases, fresh_caches):
    """The site whose sessions know their account, on the engine shown and on the one named."""
    shown = docs("extending")
    text = shown.text.replace("dj_sessions.backends.db", f"dj_sessions.backends.{request.param}")
    with example_site(tmp_path) as write:
        write(replace(shown, text=text))
        yield from made_accounts()


def made_accounts():
    with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, "shop"]):
        model = import_module("shop.models").AccountSession
        with connection.schema_editor() as editor:
            editor.create_model(model)
        with override_settings(SESSION_ENGINE="shop.sessions"):
            yield model
        with connection.schema_editor() as editor:
            editor.delete_model(model)


def test_sessions_know_their_account_and_can_all_be_ended(accounts, user, mode):
    laptop, phone, stranger = mode.client(), mode.client(), mode.client()
    laptop.force_login(user)
    phone.force_login(user)
    stranger.get(mode.url("write"), {"colour": "green"})
    assert set(accounts.objects.values_list("account_id", flat=True)) == {str(user.pk), ""}
    import_module("shop.accounts").log_out_everywhere(user.pk)
    assert laptop.get(mode.url("read")).json() == {}
    assert phone.get(mode.url("read")).json() == {}
    assert stranger.get(mode.url("read")).json() == {"colour": "green"}


@pytest.mark.parametrize("size", [1, 2000])
def test_sessions_that_are_copied_stay_logged_in_and_know_their_account(accounts, user, size):
    copying = import_module("shop.copying")
    laptop, stranger, gone = Client(), Client(), SessionStore()
    with override_settings(SESSION_ENGINE="dj_sessions.backends.db"):
        laptop.force_login(user)
        stranger.get("/sync/write/", {"colour": "green"})
        gone.set_expiry(-1)
        gone.save()
    for _ in range(2):  # what is there is left alone
        copying.copy_sessions(size)
    assert get_user(laptop) == user
    assert stranger.get("/sync/read/").json() == {"colour": "green"}
    assert sorted(accounts.objects.values_list("account_id", flat=True)) == ["", str(user.pk)]


def test_a_uuid_fits_into_the_account(accounts):
    row = accounts(account_id=str(uuid4()))
    row.clean_fields(exclude=["session_key", "session_data", "expire_date"])


def test_a_store_of_another_name_takes_sessions_for_forged(databases):
    class AnotherName(SessionStore):
        pass

    payload = SessionStore().encode({"a": 1})
    assert AnotherName().decode(payload) == {}
    AnotherName.__qualname__ = "SessionStore"
    assert AnotherName().decode(payload) == {"a": 1}


def test_sessions_are_cached_under_the_prefix_chosen(example, mode, databases, fresh_caches):
    session = mode.wrap(example("extending", "shop.cached_sessions").SessionStore())
    session.set("a", 1)
    session.save()
    assert caches["default"].get(f"shop.sessions{session.session_key}")["a"] == 1


@pytest.mark.parametrize(
    ("page", "module", "kept"),
    [("concurrency", "shop.carts", ["tea", "cups", "pot"]), (None, None, ["tea", "pot"])],
    ids=["as on the page", "by default"],
)
def test_what_two_requests_put_into_a_cart_is_kept_by_the_store_that_resolves_conflicts(
    example, databases, mode, page, module, kept
):
    store = example(page, module).SessionStore if page else SessionStore
    first = mode.wrap(store())
    first.set("cart", ["tea"])
    first.save()
    second = mode.wrap(store(first.session_key))
    second.set("cart", [*second.get("cart"), "pot"])
    first.set("cart", ["tea", "cups"])
    first.save()
    second.save()
    assert mode.wrap(store(first.session_key)).get("cart") == kept


@pytest.fixture
def table(example):
    table = example("extending", "shop.table")
    table.make_table()
    return table


def keys(table):
    return [key for (key,) in table.run("SELECT key FROM session")[0]]


def test_the_storage_of_one_s_own_keeps_sessions(table, mode):
    session = mode.wrap(table.SessionStore())
    session.set("a", 1)
    session.save()
    first = session.session_key
    assert mode.wrap(table.SessionStore()).exists(first)
    assert dict(mode.wrap(table.SessionStore(first)).items()) == {"a": 1}
    session.cycle_key()
    assert mode.wrap(table.SessionStore(first)).get("a") is None
    assert mode.wrap(table.SessionStore(session.session_key)).get("a") == 1
    session.flush()
    assert session.session_key is None
    assert keys(table) == []


def test_the_storage_of_one_s_own_refuses_a_key_that_is_taken(table, mode):
    session = mode.wrap(table.SessionStore())
    session.create()
    with pytest.raises(CreateError):
        session.save(must_create=True)


def test_the_storage_of_one_s_own_merges(table, mode):
    one = mode.wrap(table.SessionStore())
    one.update({"a": 1, "b": 1, "c": 1})
    one.save()
    two = mode.wrap(table.SessionStore(one.session_key))
    two.set("a", 2)
    one.pop("b")
    one.save()
    two.save()
    assert dict(mode.wrap(table.SessionStore(one.session_key)).items()) == {"a": 2, "c": 1}


def test_the_storage_of_one_s_own_brings_no_ended_session_back(table, mode):
    session = mode.wrap(table.SessionStore())
    session.create()
    mode.wrap(table.SessionStore(session.session_key)).flush()
    with pytest.raises(UpdateError):
        session.save()
    assert keys(table) == []


def test_the_storage_of_one_s_own_forgets_expired_sessions(table, mode):
    kept, over = (mode.wrap(table.SessionStore()) for _ in range(2))
    kept.create()
    over.set_expiry(-1)
    over.save()
    assert mode.wrap(table.SessionStore(over.session_key)).get("_session_expiry") is None
    with override_settings(SESSION_ENGINE="shop.table"):
        call_command("clearsessions")
    assert keys(table) == [kept.session_key]


@pytest.mark.parametrize(("blocking", "hops"), [(True, 1), (False, 0)])
def test_a_store_that_does_not_block_says_so_and_stays_in_the_event_loop(table, blocking, hops):
    table.TableStorage.blocking = blocking
    with thread_hops() as seen:
        async_to_sync(table.SessionStore().asave)()
    assert len(seen) == hops


@pytest.mark.parametrize("name", ["TableStorageTests", "AsyncTableStorageTests"])
def test_the_storage_of_one_s_own_keeps_its_promises(table, name):
    tests = unittest.defaultTestLoader.loadTestsFromName(f"shop.tests.{name}")
    result = unittest.TestResult()
    tests.run(result)
    assert result.testsRun == len([test for test in dir(StorageContract) if test[:5] == "test_"])
    assert (result.failures, result.errors) == ([], [])
    # The page leaves rename() out of this storage.
    assert {reason for _, reason in result.skipped} == {UNDECLARED}
    assert all("rename" in test.id() for test, _ in result.skipped)


@pytest.mark.parametrize("kind", ["db", "cache", "cached_db", "file"])
def test_a_storage_around_a_storage_says_how_long_each_takes(
    tmp_path, databases, fresh_caches, settings, mode, caplog, kind
):
    settings.SESSION_FILE_PATH = tmp_path
    shown = docs("extending")
    text = shown.text.replace("dj_sessions.backends.db", f"dj_sessions.backends.{kind}")
    with example_site(tmp_path) as write, caplog.at_level(logging.INFO, "shop.sessions"):
        write(replace(shown, text=text))
        store = import_module("shop.timed").SessionStore
        session = mode.wrap(store())
        session.set("a", 1)
        session.save()
        assert mode.wrap(store(session.session_key)).get("a") == 1
        session.set("a", 2)
        session.save()
    said = [message.partition(":")[0] for message in caplog.messages]
    assert said == ["read", "replace"]
    assert re.fullmatch(r"read: \d+\.\d ms", caplog.messages[0])


def test_the_store_on_session_base_keeps_sessions(example, mode):
    plain = example("extending", "shop.plain")
    session = mode.wrap(plain.SessionStore())
    session.set("a", 1)
    session.save()
    again = mode.wrap(plain.SessionStore(session.session_key))
    again.set("b", 2)
    again.save()
    assert dict(mode.wrap(plain.SessionStore(session.session_key)).items()) == {"a": 1, "b": 2}
    with pytest.raises(CreateError):
        session.save(must_create=True)
    again.flush()
    assert plain.payloads == {}
    with pytest.raises(UpdateError):
        session.save()
    assert mode.wrap(plain.SessionStore(session.session_key)).get("a") is None
    with override_settings(SESSION_ENGINE="shop.plain"), pytest.raises(CommandError):
        call_command("clearsessions")


# -- overrides


def test_a_sync_override_is_called_in_both_modes(example, mode, databases, caplog):
    assert logged(example("extending", "shop.logged"), mode, caplog) == 1


def test_an_async_override_is_called_in_async_code_alone(example, mode, databases, caplog):
    assert logged(example("extending", "shop.alogged"), mode, caplog) == int(mode.is_async)


def logged(module, mode, caplog):
    session = mode.wrap(module.SessionStore())
    session.set("a", 1)
    session.save()
    with caplog.at_level(logging.INFO, "shop"):
        session.flush()
    return len(caplog.messages)


@pytest.mark.parametrize(("module", "hops"), [("shop.logged", 1), ("shop.alogged", 2)])
def test_an_async_override_makes_what_is_made_of_steps_hop_by_hop(example, databases, module, hops):
    session = example("extending", module).SessionStore()
    session.save()
    with thread_hops() as seen:
        async_to_sync(session.acycle_key)()
    assert len(seen) == hops


def test_a_session_stands_under_the_key_of_a_gateway(tmp_path, databases):
    with example_site(tmp_path) as write:
        write(docs("extending"))
        shop, store = import_module("shop.baskets"), import_module("shop.gateway").SessionStore
        shop.start("GW-5f1d3a90", ["tea"])
        assert store("GW-5f1d3a90")["basket"] == ["tea"]
        with pytest.raises(CreateError):
            shop.start("GW-5f1d3a90", [])
        with pytest.raises(InvalidSessionKey, match="8 characters or more"):
            shop.start("GW 5f1d3a90", [])
        new = store()
        new.save()
        assert new.session_key.startswith("GW-")
