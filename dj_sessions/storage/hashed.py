"""Storages around a storage, which keep sessions under hashes of their keys.

``SESSION_KEY_STORAGE`` says in which form keys are stored. The storage inside sees that form alone:
it is in each row, in the name of each file, and in that of each entry of a cache.
"""

from __future__ import annotations

from typing import Any, Final

from dj_sessions import _keys
from dj_sessions._key_forms import has_plain_keys, key_forms
from dj_sessions.storage.base import Record, Storage
from dj_sessions.storage.steps import SearchingStorage, Steps
from dj_sessions.storage.wrapper import StorageWrapper

#: How often both places are looked at, while servers rename to and fro.
ROUNDS: Final = 16


def in_stored_form(storage: Storage) -> Storage:
    """Return ``storage``, or one around it that does as ``SESSION_KEY_STORAGE`` says.

    Raises ImproperlyConfigured if that setting cannot be used.
    """
    if has_plain_keys():
        return storage
    forms = key_forms()
    return TwoFormsStorage(storage, forms) if len(forms) > 1 else HashedStorage(storage)


class HashedStorage(StorageWrapper):
    """Sessions under the hashes of their keys."""

    def names_around_save(self, key: str) -> tuple[str, str]:
        name = _keys.hashed(key)
        return name, name

    def read(self, key: str) -> Record | None:
        return self.inner.read(_keys.hashed(key))

    def read_latest(self, key: str) -> Record | None:
        return self.inner.read_latest(_keys.hashed(key))

    def holds(self, key: str) -> bool:
        return self.inner.holds(_keys.hashed(key))

    def insert(self, key: str, record: Any) -> bool:
        return self.inner.insert(_keys.hashed(key), record)

    def replace(self, key: str, record: Any, expected: Record | None) -> bool:
        return self.inner.replace(_keys.hashed(key), record, expected)

    def remove(self, key: str, expected: Record | None = None) -> bool:
        return self.inner.remove(_keys.hashed(key), expected)

    def move(self, key: str, expected: Record | None, forward: str) -> bool:
        return self.inner.move(_keys.hashed(key), expected, forward)

    def drop_forward(self, key: str) -> None:
        self.inner.drop_forward(_keys.hashed(key))

    async def aread(self, key: str) -> Record | None:
        return await self.inner.aread(_keys.hashed(key))

    async def aread_latest(self, key: str) -> Record | None:
        return await self.inner.aread_latest(_keys.hashed(key))

    async def aholds(self, key: str) -> bool:
        return await self.inner.aholds(_keys.hashed(key))

    async def ainsert(self, key: str, record: Any) -> bool:
        return await self.inner.ainsert(_keys.hashed(key), record)

    async def areplace(self, key: str, record: Any, expected: Record | None) -> bool:
        return await self.inner.areplace(_keys.hashed(key), record, expected)

    async def aremove(self, key: str, expected: Record | None = None) -> bool:
        return await self.inner.aremove(_keys.hashed(key), expected)

    async def amove(self, key: str, expected: Record | None, forward: str) -> bool:
        return await self.inner.amove(_keys.hashed(key), expected, forward)


class TwoFormsStorage(SearchingStorage):
    """Sessions under the first of two forms of their keys, found under both.

    One that is found under the other form is renamed when it is next saved, where that is one step
    of the store. As others may do so between two calls here, the first place is looked at again
    where the second has nothing.
    """

    def __init__(self, inner: Storage, forms: tuple[str, ...]) -> None:
        super().__init__(inner)
        self._first, self._other = (_keys.FORMS[form] for form in forms)
        #: Under which form each key was found.
        self._found: dict[str, str] = {}

    def names_around_save(self, key: str) -> tuple[str, str]:
        first = self._first(key)
        found = self._found.get(key, first)
        return found, first if self.inner.atomic_rename else found

    # Reading

    def _reading(self, key: str, read: str) -> Steps:
        first, other = self._first(key), self._other(key)
        found = yield read, first
        if found is not None:
            found = first, found
        else:
            found = yield "read_renamed", other, first, read == "read_latest"
        if found is None:
            return None
        self._found[key], record = found
        return record

    def _holding(self, key: str) -> Steps:
        first, other = self._first(key), self._other(key)
        for name in (first, other, first):
            if (yield "holds", name):
                return True
        return False

    # Writing

    def _inserting(self, key: str, record: Any) -> Steps:
        first = self._first(key)
        if (yield "holds", self._other(key)):
            return False
        if not (yield "insert", first, record):
            return False
        self._found[key] = first
        return True

    def _replacing(self, key: str, record: Any, expected: Record | None) -> Steps:
        first = self._first(key)
        for name in self._places(key, expected):
            if name != first and self.inner.atomic_rename:
                stored = yield "rename", name, first, record, expected
            else:
                stored = name if (yield "replace", name, record, expected) else None
            if stored is not None:
                self._found[key] = stored
                return True
        return False

    # Ending

    def _removing(self, key: str, expected: Record | None) -> Steps:
        for _ in range(ROUNDS):
            places = self._places(key, expected)
            for name in places[:2]:
                if (yield "remove", name, expected):
                    return True
            if len(places) == 1 or not (yield from self._was_missed(key)):
                return False
        return False

    def _was_missed(self, key: str) -> Steps:
        """Return whether there is a session, which was renamed between two looks, maybe twice."""
        found = yield "read_renamed", self._other(key), self._first(key), True
        return found is not None and found[1].forward is None

    def _moving(self, key: str, expected: Record | None, forward: str) -> Steps:
        for name in self._places(key, expected):
            if (yield "move", name, expected, forward):
                return True
        return False

    def drop_forward(self, key: str) -> None:
        for name in (self._first(key), self._other(key)):
            self.inner.drop_forward(name)

    def _places(self, key: str, expected: Record | None) -> tuple[str, ...]:
        """Return where the session may be, in the order in which no renaming hides it."""
        first, other = self._first(key), self._other(key)
        found = self._found.get(key)
        if found is not None and expected is not None:
            return (found,)
        return (first, other, first) if found == first else (other, first, other)
