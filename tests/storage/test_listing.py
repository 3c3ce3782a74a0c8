"""`Storage.names()`: all that a store has, under the names by which it has them."""

from datetime import UTC, datetime
from itertools import chain

import pytest
from django.core.cache import caches
from django.test import override_settings

from dj_sessions import _keys
from dj_sessions._codec import forwards
from dj_sessions.backends import cache, redis
from dj_sessions.models import Session
from dj_sessions.storage import StorageWrapper
from dj_sessions.storage.listing import all_entries

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
REDIS = ("redis", "django_redis")


def created(kind, form="plain"):
    with override_settings(SESSION_KEY_STORAGE=[form]):
        session = kind()
        session["colour"] = "green"
        session.create()
    return session


def listed(kind, batch=2, **options):
    batches = list(StorageWrapper(kind().get_storage()).names(batch, **options))
    assert all(len(each) <= batch for each in batches)
    return list(chain(*batches))


def all_are_listed(kind):
    keys = [created(kind).session_key for _ in range(4)]
    hashed = _keys.hashed(created(kind, "hashed").session_key)
    found = listed(kind)
    assert sorted(found) == sorted([*keys, hashed])


@pytest.mark.stores("db", "file", "redis")
def test_all_are_listed_as_they_are_stored(store):
    all_are_listed(store.SessionStore)


@pytest.mark.stores("cache", cache=REDIS)
def test_a_cache_on_redis_lists_its_sessions_and_nothing_else(store):
    caches[store.cache].set("something", "else")
    caches[store.cache].set(cache.KEY_PREFIX + "d_db" + _keys.new_key(), "as a copy of cached_db")
    all_are_listed(store.SessionStore)


@pytest.mark.stores("cache", cache=("locmem", "memcached"))
def test_other_caches_list_none(store):
    with pytest.raises(NotImplementedError, match="This cache cannot list its entries"):
        listed(store.SessionStore)


class Refusing(StorageWrapper):
    """A storage that finds out late that it cannot list its entries."""

    def entries(self, batch):
        raise NotImplementedError
        yield


@pytest.mark.stores("db", "redis", database=(None, "sqlite"))
def test_entries_are_read_by_their_names_where_there_are_no_others(store):
    keys = [created(store.SessionStore).session_key for _ in range(3)]
    created(store.SessionStore).cycle_key()  # whose forward is no entry
    batches = list(all_entries(Refusing(store.SessionStore().get_storage()), 2))
    assert [sum(map(len, batches)), max(map(len, batches))] == [4, 2]
    assert {*keys} < {entry.name for entry in chain(*batches)}


class OwnKeys(cache.SessionStore):
    def _get_new_session_key(self):
        return "made by the site"


class OwnNames(cache.SessionStore):
    @property
    def cache_key(self):
        return f"{self._get_or_create_session_key()}-of-the-site"


@pytest.mark.stores("cache", cache="redis")
@pytest.mark.parametrize(
    ("kind", "why"),
    [(OwnKeys, "keys of the site's own"), (OwnNames, "do not end with the session keys")],
)
def test_entries_that_cannot_be_told_from_others_are_not_listed(store, kind, why):
    with pytest.raises(NotImplementedError, match=why):
        listed(kind)


@pytest.mark.stores("db", database="sqlite")
def test_rows_that_have_expired_are_listed_and_forwards_are_not(store):
    sessions = [created(store.SessionStore) for _ in range(3)]
    sessions[0].set_expiry(-1)
    sessions[0].save()
    sessions[1].cycle_key()
    Session._base_manager.filter(session_data__startswith=forwards.MARK).update(
        expire_date=LONG_AGO
    )
    assert Session.objects.count() == 4
    assert sorted(listed(store.SessionStore)) == sorted(each.session_key for each in sessions)


@pytest.mark.stores("db")
def test_rows_are_listed_from_behind_a_name(store):
    keys = sorted(created(store.SessionStore).session_key for _ in range(5))
    assert listed(store.SessionStore, after=keys[1]) == keys[2:]
    assert listed(store.SessionStore, after=keys[3][:6]) == keys[3:]


@pytest.mark.stores("db", database="sqlite")
def test_rows_that_go_meanwhile_hide_no_other(store):
    keys = sorted(created(store.SessionStore).session_key for _ in range(5))
    batches = store.SessionStore().get_storage().names(2)
    assert next(batches) == keys[:2]
    Session.objects.filter(pk__in=keys[:3]).delete()
    assert list(batches) == [keys[3:]]


@pytest.mark.stores("file", "redis")
def test_a_store_without_an_order_begins_behind_no_name(store):
    with pytest.raises(NotImplementedError, match="in no order"):
        listed(store.SessionStore, after="a")


@pytest.mark.stores("file")
def test_a_directory_has_other_files(store, tmp_path):
    for name in ("other", "sessionid", f"sessionid{'a' * 32}_out_x", f"sessionid{'a' * 31}"):
        (tmp_path / name).touch()
    (tmp_path / f"sessionid{'a' * 32}").mkdir()
    all_are_listed(store.SessionStore)


@pytest.mark.stores("redis")
def test_redis_has_other_names(store, settings):
    own = settings.SESSION_REDIS
    with override_settings(SESSION_REDIS=own | {"PREFIX": own["PREFIX"] + "other:"}):
        created(store.SessionStore)
    all_are_listed(store.SessionStore)


@pytest.mark.stores("redis")
def test_a_prefix_is_no_pattern(store, settings):
    own = settings.SESSION_REDIS
    settings.SESSION_REDIS = own | {"PREFIX": own["PREFIX"] + "a?"}
    created(store.SessionStore)
    for special in (r"[ab]*?\[", "^"):
        settings.SESSION_REDIS = own | {"PREFIX": own["PREFIX"] + special}
        all_are_listed(store.SessionStore)


class OwnRedisKeys(redis.SessionStore):
    def _get_new_session_key(self):
        return f"Shop-{_keys.new_key()}"


@pytest.mark.stores("redis")
def test_keys_of_a_site_s_own_are_listed(store):
    key = created(OwnRedisKeys).session_key
    assert listed(OwnRedisKeys) == [key]
