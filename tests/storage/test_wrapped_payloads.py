"""A storage around a storage that changes what is stored."""

from dataclasses import replace

import pytest

from dj_sessions.storage import StorageWrapper


class Reversed(StorageWrapper):
    """Stores each payload from its end to its beginning."""

    def insert(self, key, record):
        return super().insert(key, turned(record))

    def replace(self, key, record, expected):
        return super().replace(key, turned(record), turned(expected))

    def remove(self, key, expected=None):
        return super().remove(key, turned(expected))

    def move(self, key, expected, forward):
        return super().move(key, turned(expected), forward)

    def read(self, key):
        return turned(super().read(key))

    def read_latest(self, key):
        return turned(super().read_latest(key))


def turned(record):
    if record is None or record.forward is not None:
        return record
    return replace(record, payload=record.payload[::-1])


@pytest.mark.stores("db", "file")
def test_what_is_stored_is_what_the_wrapper_makes_of_it(store, mode):
    class SessionStore(store.SessionStore):
        def get_storage(self):
            return Reversed(super().get_storage())

    session = mode.wrap(SessionStore())
    session.set("colour", "green")
    session.save()
    key = session.raw.session_key
    stored = store.SessionStore(key)._storage.read(key)
    assert stored.payload[::-1] == SessionStore(key)._storage.read(key).payload
    one, other = mode.wrap(SessionStore(key)), mode.wrap(SessionStore(key))
    one.set("one", 1)
    other.set("other", 2)
    one.save()
    other.save()
    other.cycle_key()
    again = mode.wrap(SessionStore(other.raw.session_key))
    assert dict(again.items()) == {"colour": "green", "one": 1, "other": 2}
