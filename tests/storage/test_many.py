"""`Storage.many()`: several calls at once do what each of them does alone."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models.signals import post_delete
from django.utils import timezone

from dj_sessions import _keys
from dj_sessions.models import Session
from dj_sessions.storage import Record, StorageWrapper
from tests.counters import round_trips, statements

HOUR = timedelta(hours=1)


def record(payload):
    now = timezone.now()
    return Record(payload, now + HOUR, now)


def payload_of(found):
    return None if found is None else found.payload


def all_methods(storage):
    first, second, third, unknown = sorted(_keys.new_key() for _ in range(4))
    one, two = record("one"), record("two")
    assert storage.insert(third, two)
    keys = [third, first, second]
    assert storage.many("insert", [(key, one) for key in keys]) == [False, True, True]
    found = storage.many("read_whole", [(key,) for key in (*keys, unknown)])
    assert list(map(payload_of, found)) == ["two", "one", "one", None]
    assert abs(found[0].expiry - two.expiry) < timedelta(seconds=5)
    changed, until = record("changed"), timezone.now() + 2 * HOUR
    changed = Record("changed", until, changed.modified)
    expected = [(key, changed, one) for key in (first, third, unknown)]
    assert storage.many("replace", expected) == [True, False, False]
    found = storage.many("read_whole", [(key,) for key in keys])
    assert list(map(payload_of, found)) == ["two", "changed", "one"]
    assert abs(found[1].expiry - until) < timedelta(seconds=5)
    assert storage.many("holds", [(first,), (unknown,)]) == [True, False]
    gone = [(first, one), (second, one), (unknown, one), (third, None)]
    assert storage.many("remove", gone) == [False, True, False, True]
    assert [storage.holds(key) for key in (first, second, third)] == [True, False, False]


@pytest.mark.stores("db", "redis")
def test_each_does_what_it_does_alone(store):
    all_methods(store.SessionStore().get_storage())


@pytest.mark.stores("db", "redis")
def test_a_wrapper_hands_on_what_it_does_not_change(store):
    class Shouting(StorageWrapper):
        def read_whole(self, key):
            found = self.inner.read_whole(key)
            return found and Record(found.payload.upper())

    storage = Shouting(store.SessionStore().get_storage())
    keys = [_keys.new_key() for _ in range(3)]
    with round_trips() as trips:
        storage.many("insert", [(key, record("one")) for key in keys])
    assert len(trips) <= (3 if store.kind == "db" else 1)
    found = storage.many("read_whole", [(key,) for key in keys])
    assert list(map(payload_of, found)) == ["ONE"] * 3


@pytest.fixture
def rows(store):
    storage = store.SessionStore().get_storage()
    keys = [_keys.new_key() for _ in range(3)]
    for key in keys:
        storage.insert(key, record("one"))
    return storage, keys


@pytest.mark.stores("db", database="postgres")
def test_postgresql_changes_them_by_one_statement(store, rows):
    storage, keys = rows
    with statements() as sent:
        storage.many("replace", [(key, record("two"), Record("one")) for key in keys])
    assert [each.split()[0] for each in sent] == ["BEGIN", "SET", "UPDATE", "COMMIT"]


@pytest.mark.stores("db")
def test_who_listens_hears_of_each(store, rows):
    storage, keys = rows
    heard = []

    def hear(instance, **kwargs):
        heard.append(instance.session_key)

    post_delete.connect(hear, sender=Session)
    try:
        assert storage.many("remove", [(key, Record("one")) for key in keys]) == [True] * 3
    finally:
        post_delete.disconnect(hear, sender=Session)
    assert heard == keys


@pytest.mark.stores("db")
def test_inside_a_transaction_they_are_part_of_it(store, rows):
    storage, keys = rows
    with transaction.atomic(using=store.database):
        assert storage.many("remove", [(key, Record("one")) for key in keys]) == [True] * 3
        transaction.set_rollback(True, using=store.database)
    assert storage.many("holds", [(key,) for key in keys]) == [True] * 3
