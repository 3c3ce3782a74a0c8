"""The storages of the engines keep the promises of `dj_sessions.testing`."""

import pytest

from dj_sessions._session.modes import finish, in_sync
from dj_sessions.storage import StorageWrapper
from dj_sessions.testing import AsyncStorageContract, StorageContract


@pytest.mark.stores("db", "cache", "file", "redis")
class OfTheEngines:
    @pytest.fixture(autouse=True)
    def the_engine(self, store):
        self.store = store

    def make_storage(self):
        return self.store.SessionStore().get_storage()

    def make_record(self, key, data, age):
        session = self.store.SessionStore(key)
        session._session_cache = {**data, "_session_expiry": age}
        return finish(session._make_record(in_sync, session._session_cache))

    def data_of(self, record):
        return self.store.SessionStore()._decoded(record)


class TestStorages(OfTheEngines, StorageContract):
    pass


class TestStoragesInAsync(OfTheEngines, AsyncStorageContract):
    pass


class TestWrappers(OfTheEngines, StorageContract):
    def make_storage(self):
        return StorageWrapper(super().make_storage())


class TestWrappersInAsync(TestWrappers, AsyncStorageContract):
    pass


@pytest.mark.stores("db")
class TestWrappersWithPlainRecords(StorageContract):
    """A site's storage around rows, tested as the page `extending` shows."""

    @pytest.fixture(autouse=True)
    def the_engine(self, store):
        self.store = store

    def make_storage(self):
        return StorageWrapper(self.store.SessionStore().get_storage())


class TestWrappersWithPlainRecordsInAsync(TestWrappersWithPlainRecords, AsyncStorageContract):
    pass
