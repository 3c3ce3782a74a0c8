"""Create, save, load, delete, flush, cycle: the life of a session in its store."""

import io
import re
import traceback
from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.test import override_settings

from dj_sessions._session.modes import finish, in_sync
from dj_sessions.exceptions import CreateError, SessionTooLarge, UpdateError
from dj_sessions.serializers import EncryptedJSONSerializer, JSONSerializer
from dj_sessions.storage.rows.orm import Rows
from tests.contract.moments import before
from tests.contract.traffic import traffic
from tests.stores import stored_name

KEY = re.compile(r"[0-9a-z]{32}")
LONG_AGO = datetime(2020, 2, 2, tzinfo=UTC)


def test_a_session_without_a_key_asks_no_store(store, new):
    with traffic(store) as said:
        session = new()
        assert session.is_empty()
        assert session.session_key is None
        assert dict(session.items()) == {}
        assert session.load() == {}
        session.delete()
        session.flush()
    assert said.all == []


def test_making_a_session_of_a_key_asks_no_store(store, save, reopen):
    key = save(colour="green")
    with traffic(store) as said:
        session = reopen(key)
        assert not session.is_empty()
        assert session.session_key == key
    assert said.all == []


@pytest.mark.stores(server_side=True)
def test_create_stores_an_empty_session_under_a_new_key(new, reopen):
    one, other = new(), new()
    one.create()
    other.create()
    assert KEY.fullmatch(one.session_key)
    assert one.session_key != other.session_key
    assert one.modified
    assert new().exists(one.session_key)
    again = reopen(one.session_key)
    assert dict(again.items()) == {}
    assert again.session_key == one.session_key


@pytest.mark.stores(server_side=True)
def test_the_first_save_makes_the_key_and_later_ones_keep_it(new, reopen):
    session = new()
    session.set("colour", "green")
    session.save()
    key = session.session_key
    assert KEY.fullmatch(key)
    session.set("size", 3)
    session.save()
    assert session.session_key == key
    assert dict(reopen(key).items()) == {"colour": "green", "size": 3}


def test_an_empty_session_can_be_saved(new, reopen):
    session = new()
    session.save()
    assert dict(reopen(session.session_key).items()) == {}
    assert reopen(session.session_key).raw


@pytest.mark.stores(server_side=True)
def test_must_create_takes_a_free_key_and_never_a_taken_one(save, reopen):
    free = "a" * 32
    session = reopen(free)
    session.save(must_create=True)
    assert reopen(free).raw.session_key == free
    taken = save(colour="green")
    with pytest.raises(CreateError):
        reopen(taken).save(must_create=True)
    assert reopen(taken).get("colour") == "green"


@pytest.mark.modes("sync")
@pytest.mark.stores("db", "cached_db")
@pytest.mark.parametrize("is_renamed", [False, True])
def test_a_key_that_was_taken_and_is_free_by_now_is_no_error(store, save, settings, is_renamed):
    """As where a session ends between the statement that it refuses and the look at it."""
    settings.SESSION_KEY_STORAGE = ["plain"]  # of two forms the other one is looked at first
    key, other = save(), save()
    storage = store.SessionStore().get_storage()
    session = store.SessionStore(other)
    session["colour"] = "blue"
    record = finish(session._make_record(in_sync, session._session))

    def end():
        store.SessionStore().get_storage().remove(key)

    with before(Rows, "is_taken", end):
        stored = (
            storage.rename(other, key, record, None) if is_renamed else storage.insert(key, record)
        )
    assert stored == (key if is_renamed else True)
    assert store.SessionStore(key)["colour"] == "blue"


@pytest.mark.stores(server_side=True, is_moving=False)
def test_must_create_stores_what_this_session_holds_without_reading(store, reopen):
    session = reopen("a" * 32)
    with traffic(store) as said:
        session.save(must_create=True)
    assert [entry for entry in said.all if entry not in said.writes] == []
    assert dict(session.items()) == {}


@pytest.mark.stores(server_side=True)
def test_exists_tells_whether_the_store_has_the_key(save, new):
    key = save(colour="green")
    session = new()
    assert session.exists(key) is True
    assert session.exists("a" * 32) is False
    session.delete(key)
    assert session.exists(key) is False


@pytest.mark.stores("signed_cookies")
def test_no_store_can_tell_whether_a_cookie_exists(save, new):
    assert new().exists(save(colour="green")) is False


@pytest.mark.stores(server_side=True)
def test_delete_removes_the_session_of_a_key_or_its_own(save, reopen):
    one, other = save(colour="green"), save(colour="red")
    session = reopen(one)
    assert session.get("colour") == "green"
    session.delete(other)
    assert not session.exists(other)
    assert session.exists(one)
    session.delete()
    assert not session.exists(one)
    session.delete()  # what is gone may be deleted again
    session.delete("a" * 32)


@pytest.mark.stores("signed_cookies")
def test_delete_makes_a_signed_session_empty(save, reopen):
    session = reopen(save(colour="green"))
    session.delete()
    assert session.is_empty()
    assert session.modified


def test_flush_ends_the_session_here_and_in_the_store(store, save, reopen):
    key = save(colour="green")
    session = reopen(key)
    assert session.get("colour") == "green"
    session.flush()
    assert session.session_key is None
    assert session.is_empty()
    assert dict(session.items()) == {}
    if store.server_side:
        assert not session.exists(key)
        assert reopen(key).get("colour") is None
    session.set("colour", "red")
    session.save()
    assert session.session_key != key
    assert dict(reopen(session.session_key).items()) == {"colour": "red"}


@pytest.mark.stores(server_side=True)
def test_cycle_key_moves_the_data_and_ends_the_old_key(save, reopen):
    key = save(colour="green", size=3)
    session = reopen(key)
    session.cycle_key()
    assert KEY.fullmatch(session.session_key)
    assert session.session_key != key
    assert session.modified
    assert not session.exists(key)
    assert dict(session.items()) == {"colour": "green", "size": 3}
    assert dict(reopen(session.session_key).items()) == {"colour": "green", "size": 3}
    session.set("size", 4)
    session.save()
    assert reopen(session.session_key).get("size") == 4


def test_cycle_key_takes_unsaved_data_along(new, reopen):
    session = new()
    session.set("colour", "green")
    session.cycle_key()
    assert reopen(session.session_key).get("colour") == "green"


def test_cycle_key_of_a_session_that_is_over_starts_a_new_one(store, reopen):
    session = reopen("a" * 32)
    session.cycle_key()
    assert session.session_key != "a" * 32
    assert dict(reopen(session.session_key).items()) == {}
    if store.server_side:
        assert not session.exists("a" * 32)


def test_an_unknown_key_is_an_empty_session_without_a_key_and_makes_nothing(store, reopen):
    session = reopen("a" * 32)
    assert not session.is_empty()  # nobody has asked the store yet
    with traffic(store) as said:
        assert session.get("colour") is None
    assert session.session_key is None
    assert session.is_empty()
    assert said.lasting == []
    assert session.modified is False


def test_an_expired_session_is_empty_without_a_key_and_makes_nothing(store, new, reopen):
    session = new()
    session.set("colour", "green")
    session.set_expiry(LONG_AGO)
    session.save()
    again = reopen(session.session_key)
    with traffic(store) as said:
        assert again.get("colour") is None
    assert again.session_key is None
    assert again.is_empty()
    assert said.lasting == []


@pytest.mark.stores(server_side=True)
def test_a_deleted_session_is_empty_without_a_key_and_makes_nothing(store, save, reopen):
    key = save(colour="green")
    reopen(None).delete(key)
    session = reopen(key)
    with traffic(store) as said:
        assert session.get("colour") is None
    assert session.session_key is None
    assert said.lasting == []


@pytest.mark.stores(server_side=True)
def test_a_visitor_cannot_choose_the_key_of_a_new_session(reopen):
    session = reopen("a" * 32)
    session.set("colour", "green")
    session.save()
    assert session.session_key != "a" * 32
    assert reopen(session.session_key).get("colour") == "green"
    assert not session.exists("a" * 32)


def test_the_key_can_be_read_but_not_set(new):
    with pytest.raises(AttributeError):
        new().raw.session_key = "a" * 32


@pytest.mark.stores(server_side=True)
def test_a_session_that_was_deleted_meanwhile_is_not_brought_back_by_save(store, save, reopen):
    for end in (
        lambda other: other.delete(),
        lambda other: other.flush(),
        lambda other: other.cycle_key(),
    ):
        key = save(colour="green")
        session = reopen(key)
        session.set("colour", "red")
        end(reopen(key))
        with pytest.raises(UpdateError):
            session.save()
        assert not session.exists(key)
        assert reopen(key).get("colour") is None


@pytest.mark.stores(server_side=True)
def test_a_cleared_session_that_was_deleted_meanwhile_is_not_brought_back_by_save(save, reopen):
    key = save(colour="green")
    session = reopen(key)
    session.clear()
    reopen(key).delete()
    with pytest.raises(UpdateError):
        session.save()
    assert not session.exists(key)


@pytest.mark.stores(server_side=True)
def test_saving_a_session_that_was_never_there_is_an_update_error(store, reopen):
    session = reopen("a" * 32)
    with pytest.raises(UpdateError):
        session.save()
    assert not session.exists("a" * 32)


@pytest.mark.stores(cache=None)
def test_clear_expired_removes_what_is_over_and_nothing_else(store, new, save, reopen):
    live = save(colour="green")
    over = []
    for _ in range(3):
        session = new()
        session.set_expiry(LONG_AGO)
        session.save()
        over.append(session.session_key)
    assert new().clear_expired() is None
    assert reopen(live).get("colour") == "green"
    assert [key for key in over if new().exists(key)] == []


@pytest.mark.stores("cached_db")
def test_clear_expired_removes_expired_rows_behind_a_cache(store, new, save):
    live, over = save(colour="green"), new()
    over.set_expiry(LONG_AGO)
    over.save()
    new().clear_expired()
    rows = store.SessionStore.get_model_class().objects.values_list("session_key", flat=True)
    assert list(rows) == [stored_name(live)]


@pytest.mark.stores("cache", "redis")
def test_a_cache_clears_by_itself(store, new, save, reopen):
    key = save(colour="green")
    with traffic(store) as said:
        new().clear_expired()
    assert said.all == []
    assert reopen(key).get("colour") == "green"


@pytest.mark.modes("sync")
def test_clearsessions_clears_the_engine_of_the_settings(store, new, save, reopen):
    live, over = save(colour="green"), new()
    over.set("colour", "red")
    over.set_expiry(LONG_AGO)
    over.save()
    call_command("clearsessions", stdout=io.StringIO())
    assert reopen(live).get("colour") == "green"
    assert not new().exists(over.session_key)


@pytest.mark.stores(server_side=True)
def test_a_session_over_the_size_of_a_cookie_is_stored_whole(save, reopen):
    items = [f"{number:x}" for number in range(20_000)]
    assert reopen(save(items=items)).get("items") == items


@pytest.fixture
def too_large():
    """Data that no compression brings into a cookie."""
    return {"items": [hash(str(number)) for number in range(1000)], "colour": "green", "size": 30}


def longest_text_in_the_frames_of(error):
    """Reports of errors show the variables of our own frames: none may be the key."""
    ours = [
        f
        for f, _ in traceback.walk_tb(error.__traceback__)
        if "dj_sessions" in f.f_globals["__name__"]
    ]
    assert ours
    return max(
        len(v) for frame in ours for v in (*frame.f_locals.values(), "") if isinstance(v, str)
    )


@pytest.mark.stores("signed_cookies")
def test_a_cookie_that_browsers_would_drop_is_an_error_that_says_what_is_large(
    save, reopen, too_large
):
    key = save(colour="red")
    session = reopen(key)
    session.update(too_large)
    for store in (session.save, session.cycle_key):
        with pytest.raises(SessionTooLarge) as caught:
            store()
        assert caught.value.limit == 4096 < caught.value.size
        assert [name for name, _ in caught.value.largest] == ["items", "colour", "size"]
        assert caught.value.largest[0][1] > 4096
        assert session.raw.session_key == key
        assert longest_text_in_the_frames_of(caught.value) <= len(key)
    del session.raw["items"]
    session.save()
    assert reopen(session.raw.session_key).get("size") == 30


@pytest.mark.stores("signed_cookies")
def test_a_cookie_that_browsers_would_drop_is_warned_of_where_the_site_has_it_so(
    save, reopen, too_large, caplog
):
    with override_settings(SESSION_COOKIE_TOO_LARGE="warning"):
        key = save(**too_large)
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "browsers drop cookies" in record.getMessage()
    assert "'items' (" in record.getMessage()
    assert dict(reopen(key).items()) == too_large


@pytest.mark.stores("signed_cookies")
def test_a_cookie_counts_with_its_name_up_to_the_last_byte(new):
    session = new()
    session.set("text", "")
    with (
        pytest.raises(SessionTooLarge) as caught,
        override_settings(SESSION_COOKIE_NAME="a" * 4096),
    ):
        session.save()
    room = 2 * 4096 - caught.value.size  # for the name of a cookie that just fits
    with override_settings(SESSION_COOKIE_NAME="a" * room):
        session.save()
    with pytest.raises(SessionTooLarge), override_settings(SESSION_COOKIE_NAME="a" * (room + 1)):
        session.save()


class Bound:
    """A serializer that is made for one engine and one purpose alone."""

    def __init__(self, engine, purpose):
        self.inner = JSONSerializer()
        self.dumps, self.loads = self.inner.dumps, self.inner.loads

    for_engine = classmethod(type.__call__)


@pytest.mark.stores("signed_cookies")
@pytest.mark.parametrize("serializer", [Bound, EncryptedJSONSerializer])
def test_the_bytes_of_a_key_are_those_before_compression_and_encryption(new, serializer):
    session = new()
    session.raw.serializer = serializer
    session.set("cart", "a" * 9000)
    session.set("seen", hex(3**20000))
    with pytest.raises(SessionTooLarge) as caught:
        session.save()
    assert dict(caught.value.largest)["cart"] == len('"cart":') + 9002


@pytest.mark.stores("signed_cookies")
def test_what_is_said_of_a_session_that_is_too_large_has_no_value_and_no_long_key(new):
    session = new()
    session.set("k" * 5000, "a secret")
    session.set("cart", hex(3**20000))
    with pytest.raises(SessionTooLarge) as caught:
        session.save()
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 600
