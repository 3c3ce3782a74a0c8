"""What a save compares and merges with belongs to the data, however that came into the session."""

from collections import OrderedDict, defaultdict
from contextlib import suppress

import pytest
from django.db import connections, transaction
from django.utils.safestring import mark_safe

from dj_sessions.exceptions import UpdateError
from tests.contract.traffic import traffic
from tests.stores import in_thread

pytestmark = pytest.mark.stores(server_side=True)


@pytest.fixture
def key(save):
    return save(user=1, colour="green")


@pytest.fixture
def elsewhere(store, key):
    """Change the stored session as another request does: `elsewhere(token="T", user=None)`."""

    def change(**values):
        def request():
            session = store.SessionStore(key)
            for name, value in values.items():
                if value is None:
                    del session[name]
                else:
                    session[name] = value
            session.save()

        in_thread(request)

    return change


@pytest.fixture
def stored(reopen, key):
    return lambda: dict(reopen(key).items())


def loaded(session):
    session.get("user")
    return session


# Data that was put into the session


def by_its_own_load(session, other):
    session._session_cache = session.load()


def by_another_store(session, other):
    session._session_cache = other.load()


def as_a_copy(session, other):
    session._session_cache = dict(session.load())


@pytest.mark.parametrize("refresh", [by_its_own_load, by_another_store, as_a_copy])
def test_a_key_that_was_removed_after_a_refresh_stays_removed(
    refresh, key, reopen, elsewhere, stored
):
    session = loaded(reopen(key))
    elsewhere(token="T")
    refresh(session, reopen(key))
    session.pop("token")
    session.save()
    assert stored() == {"user": 1, "colour": "green"}


@pytest.mark.parametrize("refresh", [by_its_own_load, by_another_store, as_a_copy])
def test_a_value_that_was_restored_after_a_refresh_is_kept(refresh, key, reopen, elsewhere, stored):
    session = loaded(reopen(key))
    elsewhere(colour="red")
    refresh(session, reopen(key))
    session.get("colour")
    session._session_cache["colour"] = "green"  # past the session's methods
    session.modified = True
    session.save()
    assert stored()["colour"] == "green"


@pytest.mark.parametrize("refresh", [by_its_own_load, by_another_store, as_a_copy])
def test_what_others_save_after_a_refresh_is_merged(refresh, key, reopen, elsewhere, stored):
    session = loaded(reopen(key))
    elsewhere(token="T")
    refresh(session, reopen(key))
    elsewhere(token="U")
    session.set("colour", "red")
    session.save()
    assert stored() == {"user": 1, "token": "U", "colour": "red"}


def test_data_of_one_s_own_replaces_what_is_stored(key, reopen, elsewhere, stored):
    session = loaded(reopen(key))
    elsewhere(token="T")
    session._session_cache = {"only": "this"}
    session.save()
    assert stored() == {"only": "this"}


def test_an_override_of_load_that_returns_a_copy_is_merged_as_well(
    store, mode, key, elsewhere, stored
):
    class SessionStore(store.SessionStore):
        def load(self):
            return {**super().load(), "seen": True}

    SessionStore.__qualname__ = "SessionStore"
    session = loaded(mode.wrap(SessionStore(key)))
    elsewhere(token="T")
    session.set("colour", "red")
    session.save()
    assert stored() == {"user": 1, "colour": "red", "seen": True, "token": "T"}


# refresh()


def test_refresh_takes_over_what_others_saved_and_keeps_what_this_request_did(
    key, reopen, elsewhere
):
    session = loaded(reopen(key))
    session.set("colour", "red")
    session.set("mine", [1])
    elsewhere(token="T", colour="blue", user=None)
    session.refresh()
    assert dict(session.items()) == {"colour": "red", "mine": [1], "token": "T"}


def test_what_was_refreshed_and_then_removed_stays_removed(key, reopen, elsewhere, stored):
    session = loaded(reopen(key))
    session.set("mine", 1)
    elsewhere(token="T")
    session.refresh()
    session.pop("token")
    session.save()
    assert stored() == {"user": 1, "colour": "green", "mine": 1}


def test_refresh_reads_past_the_cache_and_stores_nothing(store, key, reopen, elsewhere):
    session = loaded(reopen(key))
    elsewhere(token="T")
    with traffic(store) as said:
        session.refresh()
    assert len(said.all) == 1
    assert session.modified is False
    assert session.get("token") == "T"


def test_refresh_of_a_session_that_was_not_loaded_loads_it(key, reopen):
    session = reopen(key)
    session.refresh()
    assert session.raw._session_cache == {"user": 1, "colour": "green"}


def test_refresh_of_a_session_that_was_ended_says_so(key, reopen):
    session = loaded(reopen(key))
    reopen(key).delete()
    with pytest.raises(UpdateError):
        session.refresh()


def test_refresh_of_a_new_session_leaves_it_as_it_is(new):
    session = new()
    session.set("colour", "red")
    session.refresh()
    assert dict(session.items()) == {"colour": "red"}


# What counts as this request's change


@pytest.mark.parametrize(
    "assign",
    [
        lambda s: s.set("colour", "green"),
        lambda s: s.update({"colour": "green"}),
        lambda s: (s.pop("colour"), s.setdefault("colour", "green")),
    ],
)
def test_a_key_that_is_set_to_the_value_it_had_is_set(assign, key, reopen, elsewhere, stored):
    session = loaded(reopen(key))
    assign(session)
    elsewhere(colour="red")
    session.save()
    assert stored()["colour"] == "green"


def test_a_key_that_was_only_looked_at_is_not(key, reopen, elsewhere, stored):
    session = loaded(reopen(key))
    session.setdefault("colour", "blue")
    session.pop("absent", None)
    session.set("mine", 1)
    elsewhere(colour="red", absent="here")
    session.save()
    assert stored() == {"user": 1, "colour": "red", "absent": "here", "mine": 1}


def test_what_was_saved_is_no_change_of_the_next_save(key, reopen, elsewhere, stored):
    session = loaded(reopen(key))
    session.set("colour", "blue")
    session.save()
    elsewhere(colour="red")
    session.set("mine", 1)
    session.save()
    assert stored()["colour"] == "red"


VALUES = [
    OrderedDict(a=1),
    defaultdict(list, a=[1]),
    mark_safe("<b>x</b>"),
    {1: "a"},
    (1, (2, 3)),
    {"a": (1, 2)},
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:24])
def test_a_value_that_comes_back_as_another_type_is_no_change(value, new, reopen, store):
    mine = new()
    mine.set("v", value)
    mine.save()
    key = mine.raw.session_key
    other = reopen(key)
    other.set("v", "newer")
    other.save()
    mine.set("page", 2)
    mine.save()
    assert dict(reopen(key).items()) == {"v": "newer", "page": 2}


@pytest.mark.parametrize("value", [OrderedDict(a=[1]), {1: ["a"]}, {"a": [1]}], ids=repr)
def test_such_a_value_that_was_changed_in_place_is(value, new, reopen):
    mine = new()
    mine.set("v", value)
    mine.save()
    key = mine.raw.session_key
    other = reopen(key)
    other.set("page", 2)
    other.save()
    next(iter(mine.get("v").values())).append("more")
    mine.modified = True
    mine.save()
    [changed] = reopen(key).get("v").values()
    assert changed[-1] == "more"
    assert reopen(key).get("page") == 2


def test_the_keys_of_a_login_stay_together(save, reopen):
    """One user's id never stands beside another's hash."""
    ann = {"_auth_user_id": "1", "_auth_user_backend": "b", "_auth_user_hash": "ann"}
    bob = {"_auth_user_id": "2", "_auth_user_backend": "b", "_auth_user_hash": "bob"}
    key = save(**ann)
    one, other = loaded(reopen(key)), loaded(reopen(key))
    one.update(bob)
    one.save()
    other.set("_auth_user_hash", "new")  # Ann has changed her password
    other.save()
    assert dict(reopen(key).items()) == {**ann, "_auth_user_hash": "new"}


# Inside somebody's transaction


@pytest.fixture
def on_rows(store):
    if store.case.database is None:
        pytest.skip("it keeps no rows")


class Rule(Exception):
    """What makes the site roll back."""


def saved_in_vain(store, session, name, value):
    with suppress(Rule), transaction.atomic(using=store.database):
        session.set(name, value)
        session.save()
        raise Rule


@pytest.mark.usefixtures("on_rows")
def test_what_was_rolled_back_is_stored_by_the_next_save(store, key, reopen, stored):
    session = loaded(reopen(key))
    saved_in_vain(store, session, "step", "two")
    assert session.get("step") == "two"
    session.save()
    assert stored() == {"user": 1, "colour": "green", "step": "two"}


@pytest.mark.usefixtures("on_rows")
def test_and_by_one_that_meets_another_request_s_change(store, key, reopen, elsewhere, stored):
    session = loaded(reopen(key))
    session.pop("user")
    saved_in_vain(store, session, "colour", "green")
    elsewhere(token="T", colour="red")
    session.save()
    assert stored() == {"colour": "green", "token": "T"}


@pytest.mark.usefixtures("on_rows")
def test_what_an_inner_block_took_back_is_stored_with_the_outer_one(store, key, reopen, stored):
    session = loaded(reopen(key))
    with transaction.atomic(using=store.database):
        session.set("first", 1)
        session.save()
        saved_in_vain(store, session, "step", "two")
        session.set("last", 3)
        session.save()
    assert stored() == {"user": 1, "colour": "green", "first": 1, "step": "two", "last": 3}


@pytest.mark.usefixtures("on_rows")
def test_what_was_committed_is_the_baseline_of_the_next_save(store, key, reopen, elsewhere, stored):
    session = loaded(reopen(key))
    with transaction.atomic(using=store.database):
        session.set("step", "two")
        session.save()
    elsewhere(step=None)
    session.set("mine", 1)
    session.save()
    assert stored() == {"user": 1, "colour": "green", "mine": 1}


@pytest.mark.usefixtures("on_rows")
def test_the_callbacks_that_a_test_captures_are_the_site_s_own(store, key, reopen):
    session = loaded(reopen(key))
    with transaction.atomic(using=store.database):
        connections[store.database].atomic_blocks[-1]._from_testcase = True
        with transaction.atomic(using=store.database):
            session.set("step", "two")
            session.save()
            assert connections[store.database].run_on_commit == []


def test_a_rollback_leaves_the_copy_in_the_cache_to_be_used(store, mode, key, stored):
    """The transaction's mark in the cache would send each reader to the database for minutes."""
    if store.kind != "cached_db":
        pytest.skip("it keeps no copies")
    client = mode.client(raise_request_exception=False)
    client.raw.cookies["sessionid"] = key
    url = f"{mode.url('rolled_back')}?database={store.database}"
    assert client.get(url).status_code == 500
    stored()
    with traffic(store) as said:
        assert stored() == {"user": 1, "colour": "green"}
    assert not said.statements


@pytest.mark.usefixtures("on_rows")
def test_saves_that_were_committed_leave_nothing_behind(store, key, reopen):
    session = loaded(reopen(key))
    for number in range(5):
        with transaction.atomic(using=store.database):
            session.set("number", number)
            session.save()
    assert len(session.raw._baseline._uncommitted) == 1


def test_a_session_that_is_flushed_after_a_rollback_gets_no_key(store, new):
    if store.kind != "cached_db":
        pytest.skip("it keeps no copies")
    session = new()
    session.set("a", 1)
    session.save()
    saved_in_vain(store, session, "step", "two")
    session.flush()
    session.raw._settle()
    assert session.raw.session_key is None
