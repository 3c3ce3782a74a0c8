"""Stored sessions by the names under which they stand: a list of sessions has no keys."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from dj_sessions import _keys
from dj_sessions._key_forms import key_forms
from dj_sessions._session import events, expiry
from dj_sessions._session.blocks import BLOCK, is_block
from dj_sessions._session.limits import USER_ID
from dj_sessions._session.modes import Mode, finish, in_sync
from dj_sessions.signals import EndReason
from dj_sessions.storage import Storage

#: Seconds for which a session cannot be stored under a name that was ended before it was.
BLOCKED: Final = 60


class ByName:
    """Looks up and ends sessions by the form of their key in the store."""

    _old_key: str | None

    @classmethod
    def owners_among(cls, names: Collection[str]) -> dict[str, str | None]:
        """Return whose session is stored under which of ``names``: the user's id, None for nobody.

        A name is a session key as the store has it: the key, or its hash. What is not stored, or
        has ended, is not among them. Raises what the storage raises in an outage.
        """
        forms = {form: name for name in names for form in _forms_of(name)}
        found = cls._new().get_storage().read_among(list(forms))
        owners = {}
        for form, record in found.items():
            session = cls._new()._under(form)
            data = session._decoded(record) or {}
            # One form may only be kept free, where the session stands under the other one.
            if not is_block(data) and not finish(session._is_over(in_sync, record, data)):
                owners[forms[form]] = data.get(USER_ID)
        return owners

    @classmethod
    def end_stored(
        cls, name: str, reason: EndReason, *, block: bool = False, owner: str | None = None
    ) -> bool:
        """End the session stored under ``name``, as a logout does; return whether there was one.

        With ``block``, none can be stored there for a minute if there was none: it may be about to.
        With ``owner`` (a user's id), the session of another user is left alone.
        Raises what the storage raises in an outage.
        """
        session, forms = cls._new(), _forms_of(name)
        while found := session.get_storage().read_among(forms):
            held = {form: session._decoded(record) or {} for form, record in found.items()}
            kept = {form for form, data in held.items() if is_block(data)}
            live = [data for form, data in held.items() if form not in kept]
            if not live or any(_is_of_another(owner, data) for data in live):
                return False
            session._owner = live[0].get(USER_ID) or owner  # it may be about to be theirs
            if any(session._remove_stored(form) for form in forms if form not in kept):
                finish(events.ended(in_sync, session, name, reason))
                return True
        if block and not finish(session._block(in_sync, name)):  # it has just been stored
            return cls.end_stored(name, reason, block=block, owner=owner)
        return False

    @classmethod
    def _new(cls) -> Any:
        return cls()

    def _remove_stored(self: Any, name: str) -> bool:
        storage: Storage = self.get_storage()
        if _keys.is_hashed(name) or not self._deletes_its_own_way():
            return storage.remove(name)
        there = storage.holds(name)
        self._old_key = name  # so that it does not tell of the end as well
        self.delete(name)
        return there

    async def _block(self: Any, mode: Mode, name: str) -> bool:
        """Have a session of nobody stand under ``name``, so that no other can.

        Return False if a session stands there. A forward leads to one that has a name of its own.
        """
        other: Any = self._under(name)
        data = {BLOCK: True, expiry.KEY: BLOCKED}
        other._session_cache, other._is_unlimited = data, True
        return bool(self._keep_free(name, await other._make_record(mode, data)))

    def _keep_free(self: Any, name: str, record: Any) -> bool:
        storage: Storage = self.get_storage()
        return storage.insert(name, record) or not storage.holds(name)


def _is_of_another(owner: str | None, data: dict[str, Any]) -> bool:
    found = data.get(USER_ID)
    return owner is not None and found is not None and str(found) != owner


def _forms_of(name: str) -> tuple[str, ...]:
    """Return the forms in which the session may stand that was listed as ``name``."""
    if _keys.is_hashed(name) or "hashed" not in key_forms():
        return (name,)
    return name, _keys.hashed(name)
