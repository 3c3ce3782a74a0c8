"""The copies of cached_db: whatever happens between two storage calls, no copy outlives its row.

The tests act between the reading of a row, or its writing, and the writing of its copy.
"""

from __future__ import annotations

import copy
import json
import pickle
import secrets
from contextlib import contextmanager

import pytest
from django.core.cache import caches
from django.db import transaction
from django.test import override_settings

from dj_sessions.backends import cached_db
from dj_sessions.exceptions import UpdateError
from dj_sessions.storage.caches import adapter_of
from dj_sessions.storage.rows.storage import RowStorage
from tests.contract.moments import after, before
from tests.counters import round_trips, statements
from tests.stores import in_thread, stored_name

pytestmark = pytest.mark.stores("cached_db")


@pytest.fixture
def key(save):
    return save(colour="green", size=3, _auth_user_id="1")


@pytest.fixture
def evict(store):
    """Forget the copy and its tag, as a full cache does."""

    def evict(key):
        copy = f"{store.SessionStore.cache_key_prefix}{stored_name(key)}"
        caches[store.cache].delete_many([copy, f"{copy}/tag"])

    return evict


def forget_generation(store):
    """As a cache without any entry of ours: others keep theirs on the same server."""
    caches[store.cache].delete(f"{store.SessionStore.cache_key_prefix}/generation")


def log_out(store, key):
    return lambda: store.SessionStore(key).flush()


def change(store, key, **data):
    def save():
        session = store.SessionStore(key)
        session.update(data)
        session.save()

    return save


def is_over(reopen, key):
    session = reopen(key)
    return dict(session.items()) == {} and session.raw.session_key is None


def test_a_logout_between_reading_the_row_and_copying_it(store, key, reopen, evict):
    evict(key)
    with after(RowStorage, "read_written", log_out(store, key)):
        assert reopen(key).get("colour") == "green"
    assert is_over(reopen, key)


def test_a_logout_in_the_middle_of_one_that_reads(store, key, reopen, evict):
    """The row is still there, and the cache has been told already that the session ends."""
    evict(key)

    def read_and_copy():
        assert store.SessionStore(key)["colour"] == "green"

    with before(RowStorage, "remove", read_and_copy):
        reopen(key).flush()
    assert is_over(reopen, key)


def test_a_logout_between_writing_the_row_and_copying_it(store, key, reopen):
    session = reopen(key)
    session.set("colour", "red")
    with after(RowStorage, "replace", log_out(store, key)):
        session.save()
    assert is_over(reopen, key)


def test_a_logout_before_the_row_is_written(store, key, reopen):
    session = reopen(key)
    session.set("colour", "red")
    with before(RowStorage, "replace", log_out(store, key)), pytest.raises(UpdateError):
        session.save()
    assert is_over(reopen, key)


def test_a_change_between_reading_the_row_and_copying_it(store, key, reopen, evict):
    evict(key)
    with after(RowStorage, "read_written", change(store, key, colour="red")):
        assert reopen(key).get("colour") == "green"
    assert reopen(key).get("colour") == "red"


def test_a_change_between_writing_the_row_and_copying_it(store, key, reopen):
    """The copies are written in the other order than the rows."""
    session = reopen(key)
    session.set("colour", "red")
    with after(RowStorage, "replace", change(store, key, colour="blue")):
        session.save()
    assert reopen(key).get("colour") == "blue"
    assert reopen(key).get("colour") == "blue"


def test_what_two_requests_change_that_both_read_the_copy_is_kept(key, reopen):
    one, other = reopen(key), reopen(key)
    one.set("shape", "round")
    other.set("weight", 7)
    one.save()
    other.save()
    expected = {"colour": "green", "size": 3, "_auth_user_id": "1", "shape": "round", "weight": 7}
    assert dict(reopen(key).items()) == expected
    assert dict(reopen(key).items()) == expected


SERIALIZERS = ["JSONSerializer", "FastJSONSerializer"]


@pytest.mark.parametrize(("before", "now"), [SERIALIZERS, SERIALIZERS[::-1]])
def test_what_is_removed_stays_so_though_the_payload_cannot_be_made_again(
    store, save, reopen, settings, caplog, before, now
):
    """What the row holds is then not what the copy is made to, and that is nobody's change."""
    settings.SESSION_SERIALIZER = f"dj_sessions.serializers.{before}"
    key = save(cart=["apple"] * 300, colour="gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n", size=3)
    settings.SESSION_SERIALIZER = f"dj_sessions.serializers.{now}"
    one, other = reopen(key), reopen(key)
    for session in (one, other):
        assert session.get("size") == 3
    one.pop("cart")
    one.save()
    other.set("size", 4)
    other.save()
    expected = {"colour": "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n", "size": 4}
    assert dict(reopen(key).items()) == expected
    assert not caplog.records


@pytest.mark.usefixtures("unlisted")
@pytest.mark.usefixtures("no_encryption")
def test_what_was_read_from_the_cache_is_saved_by_one_statement_and_one_round_trip(
    store, key, reopen
):
    session = reopen(key)
    with statements() as sent, round_trips() as made:
        assert session.get("colour") == "green"
        session.set("colour", "red")
        session.save()
    assert len(sent) == 1, sent
    # Memcached compares one entry at a time, and the copy has two.
    assert len(made) == 2 + (store.cache == "memcached"), made
    with statements() as sent:
        assert reopen(key).get("colour") == "red"
    assert sent == []


@pytest.mark.parametrize("way", ["instance", "queryset", "all"])
def test_a_row_deleted_through_the_orm_is_a_session_that_has_ended(store, key, reopen, way):
    rows = store.SessionStore.get_model_class().objects
    assert reopen(key).get("colour") == "green"
    if way == "instance":
        rows.get(pk=stored_name(key)).delete()
    elif way == "queryset":
        rows.filter(pk=stored_name(key)).delete()
    else:
        rows.all().delete()
    assert is_over(reopen, key)


def test_a_row_deleted_while_its_session_is_read(store, key, reopen, evict):
    evict(key)
    rows = store.SessionStore.get_model_class().objects
    with after(RowStorage, "read_written", lambda: rows.filter(pk=stored_name(key)).delete()):
        assert reopen(key).get("colour") == "green"
    assert is_over(reopen, key)


@pytest.mark.modes("sync")
def test_what_a_transaction_takes_back_was_never_copied(store, key, reopen):
    def fail():
        with transaction.atomic(using=store.database):
            change(store, key, colour="red")()
            assert store.SessionStore(key)["colour"] == "red"
            raise LookupError

    with pytest.raises(LookupError):
        in_thread(fail)
    assert reopen(key).get("colour") == "green"
    assert reopen(key).get("colour") == "green"


@pytest.mark.modes("sync")
def test_what_a_transaction_changes_is_seen_by_others_when_it_is_over(store, key, reopen):
    with transaction.atomic(using=store.database):
        change(store, key, colour="red")()
        assert in_thread(lambda: store.SessionStore(key)["colour"]) == "green"
    assert in_thread(lambda: store.SessionStore(key)["colour"]) == "red"
    with statements() as sent:
        assert reopen(key).get("colour") == "red"
    assert sent == []


@pytest.mark.modes("sync")
def test_a_logout_in_a_transaction_holds_when_it_is_over(store, key, reopen):
    with transaction.atomic(using=store.database):
        log_out(store, key)()
        assert in_thread(lambda: store.SessionStore(key)["colour"]) == "green"
    assert is_over(reopen, key)


@pytest.mark.modes("sync")
def test_a_logout_that_is_taken_back_leaves_the_session(store, key, reopen):
    def fail():
        with transaction.atomic(using=store.database):
            log_out(store, key)()
            raise LookupError

    with pytest.raises(LookupError):
        in_thread(fail)
    assert reopen(key).get("colour") == "green"


def test_a_copy_that_another_program_wrote_does_not_count(store, key, reopen):
    """A server on Django's own engine writes copies without a tag."""
    caches[store.cache].set(
        f"{cached_db.KEY_PREFIX}{stored_name(key)}", {"colour": "of nobody"}, 60
    )
    assert reopen(key).get("colour") == "green"


def test_a_copy_of_another_session_does_not_count(store, key, save, reopen):
    """As under a cache client that took the answer of another command for its own."""
    other = save(colour="of another", _auth_user_id="2")
    cache = caches[store.cache]
    for entry in ("", "/tag"):
        name = f"{cached_db.KEY_PREFIX}{{}}{entry}"
        cache.set(name.format(key), cache.get(name.format(other)), 60)
    assert reopen(key).get("colour") == "green"


def test_a_copy_with_a_tag_of_another_secret_does_not_count(key, reopen, settings):
    """As of whoever can write to the cache; after a rotation each session costs one read."""

    def reads():
        with statements() as sent:
            assert reopen(key).get("colour") == "green"
        return len(sent)

    assert reads() == 0
    with override_settings(SECRET_KEY="a new one", SECRET_KEY_FALLBACKS=[settings.SECRET_KEY]):
        assert [reads(), reads()] == [1, 0]
    assert [reads(), reads()] == [1, 0]


def test_a_new_generation_ends_the_trust_in_all_copies(store, key, reopen):
    reopen(key).get("colour")
    caches[store.cache].set(f"{cached_db.KEY_PREFIX}/generation", "another", None)
    with statements() as sent:
        assert reopen(key).get("colour") == "green"
    assert len(sent) == 1
    with statements() as sent:
        assert reopen(key).get("colour") == "green"
    assert sent == []


def test_a_generation_that_began_between_reading_the_row_and_copying_it(store, key, reopen, evict):
    """With it a process says all at once that many sessions have ended, this one among them."""

    def end():
        store.SessionStore.get_model_class().objects.filter(pk=stored_name(key))._raw_delete(
            store.database
        )
        evict(key)
        caches[store.cache].set(f"{cached_db.KEY_PREFIX}/generation", "another", None)
        store.SessionStore("a" * 32).get("colour")  # another request, which hears of it

    evict(key)
    with after(RowStorage, "read_written", end):
        assert reopen(key).get("colour") == "green"
    assert is_over(reopen, key)


def test_a_generation_that_another_client_wrote_is_the_generation(store, key, reopen):
    """After a change of the client or of its serializer the same word has other bytes."""
    cache, name = caches[store.cache], f"{cached_db.KEY_PREFIX}/generation"
    adapter, raw = adapter_of(cache), pickle.dumps("of another client", 0)
    if store.cache in ("redis", "django_redis"):
        adapter.client.set(adapter.name(name), raw)
    elif store.cache == "default":
        cache._cache[cache.make_key(name)] = raw
    else:
        cache.set(name, "of another client", None)
    reopen(key).get("colour")
    with statements() as sent:
        assert reopen(key).get("colour") == "green"
    assert sent == []


@pytest.mark.usefixtures("no_encryption")
def test_an_ended_session_is_busy_for_a_while(store, key, reopen):
    """So that a process that dies before the row has gone leaves no copy of it behind."""
    reopen(key).flush()
    assert (
        caches[store.cache].get(f"{cached_db.KEY_PREFIX}{stored_name(key)}/tag").startswith("busy ")
    )
    assert caches[store.cache].get(f"{cached_db.KEY_PREFIX}{stored_name(key)}") is None


def test_a_key_that_nobody_has_leaves_nothing_in_the_cache(store, reopen):
    name = "0" * 32
    reopen(name).get("colour")
    reopen(name).flush()
    reopen(name).delete()
    for entry in ("", "/tag"):
        assert caches[store.cache].get(f"{cached_db.KEY_PREFIX}{stored_name(name)}{entry}") is None


def test_no_cookie_names_the_generation(store, key, reopen):
    reopen(key).get("colour")
    for name in (".generation", "/generation", f"{key}/tag"):
        reopen(name).flush()
    with statements() as sent:
        assert reopen(key).get("colour") == "green"
    assert sent == []


class Salted:
    """A serializer that never writes the same twice, as one does that encrypts."""

    def __init__(self, options=None):
        pass

    def dumps(self, value):
        return secrets.token_bytes(8) + pickle.dumps(value)

    def loads(self, raw):
        return pickle.loads(raw[8:])


class Texts:
    """A serializer that returns text."""

    dumps = staticmethod(json.dumps)
    loads = staticmethod(json.loads)


@contextmanager
def options(store, **options):
    settings = copy.deepcopy(caches.settings[store.cache])
    settings["OPTIONS"] = {**settings.get("OPTIONS", {}), **options}
    with override_settings(CACHES={**caches.settings, store.cache: settings}):
        yield


@pytest.mark.stores("cached_db", cache=("redis", "django_redis"))
@pytest.mark.modes("sync")
@pytest.mark.usefixtures("no_encryption")
def test_an_ended_session_stays_so_however_its_mark_is_written(store, key, reopen, evict):
    name = "serializer" if store.cache == "redis" else "SERIALIZER"
    with options(store, **{name: f"{__name__}.Salted"}):
        other = store.SessionStore()
        other.save()
        name = other.cache_key
        other.flush()
        assert caches[store.cache].get(f"{name}/tag").startswith("busy ")
        evict(key)
        forget_generation(store)
        assert reopen(key).get("colour") == "green"
        with statements() as sent:
            assert reopen(key).get("colour") == "green"
        assert sent == []


@pytest.mark.stores("cached_db", cache="redis")
@pytest.mark.modes("sync")
@pytest.mark.parametrize("decoded", [False, True])
def test_a_serializer_may_return_text(store, key, reopen, evict, decoded):
    evict(key)
    forget_generation(store)
    with options(store, serializer=f"{__name__}.Texts", decode_responses=decoded):
        assert reopen(key).get("colour") == "green"
        with statements() as sent:
            assert reopen(key).get("colour") == "green"
        assert sent == []
        reopen(key).flush()
        assert is_over(reopen, key)


def test_a_tag_that_cannot_be_read_counts_as_none(store, key, reopen):
    tag = f"{cached_db.KEY_PREFIX}{stored_name(key)}/tag"
    if store.cache in ("redis", "django_redis"):
        adapter = adapter_of(caches[store.cache])
        adapter.client.set(adapter.name(tag), b"\x80no pickle", ex=60)
    else:
        caches[store.cache].set(tag, ["no", "text"], 60)
    assert reopen(key).get("colour") == "green"
    session = reopen(key)
    session.set("colour", "red")
    session.save()
    assert reopen(key).get("colour") == "red"
