"""An engine as one of the two places between which sessions move."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.functional import cached_property

from dj_sessions._codec import payloads
from dj_sessions._moments import moment
from dj_sessions._session.expiry import KEY
from dj_sessions._session.limits import USER_ID, marks_in
from dj_sessions._session.modes import finish, in_sync
from dj_sessions.backends.stored import StoredSession
from dj_sessions.storage import Record, Storage
from dj_sessions.storage.moving.places import MARK, Data


class EnginePlace:
    """The storage of an engine, with its ways to make records of data, and data of records."""

    def __init__(self, store: type[StoredSession]) -> None:
        self._store = store

    @cached_property
    def _session(self) -> Any:
        return self._store()

    @cached_property
    def storage(self) -> Storage:
        """The storage; its session keys are stored forms already."""
        return self._session.get_storage()  # type: ignore[no-any-return]

    @cached_property
    def tells_when_saved(self) -> bool:
        """Whether its records tell when they were saved."""
        return bool(self._session._tells_when_saved())

    # Reading

    def data_of(self, name: str, record: Record) -> Data | None:
        """Return the data of a record, a new copy each time; None, and reported, if corrupt."""
        data: Data | None = self._under(name)._decoded(record)
        if data is not None and MARK in data and USER_ID in data:
            del data[MARK]  # a server that knows one of the places alone has gone on with it
        return data

    def is_over(self, name: str, record: Record, data: Data) -> bool:
        """Return whether a session that was read has ended, where its data alone tells."""
        if record.modified is None or record.expiry is not None:
            return False
        return bool(finish(self._under(name)._is_over(in_sync, record, data)))

    def end_of(self, name: str, record: Record, data: Data) -> datetime:
        """Return when the session of a record ends.

        Where neither the store nor the data tells, it is as if it had been saved now.
        """
        if record.expiry is not None:
            return record.expiry
        modified = record.modified or moment(self.saved_in(record)) or timezone.now()
        return finish(self._under(name)._end_of(in_sync, modified, data))  # type: ignore[no-any-return]

    def saved_in(self, record: Record) -> int | None:
        """Return when a record was saved (seconds since the epoch), None if it does not tell."""
        return payloads.saved_at(record.remainder) if self.tells_when_saved else None

    # Writing

    def saved_by(self, session: StoredSession, name: str, data: Data) -> Record:
        """Return the record that this engine makes of ``data`` where ``session`` saves it."""
        here = self._under(name)
        here._session_cache = session._session_cache
        here._marks, here._kept_use = session._marks, session._kept_use
        here._is_unlimited = session._is_unlimited
        record: Record = finish(here._make_record(in_sync, data))
        return here._within_limits(record)  # type: ignore[no-any-return]

    def record_of(self, name: str, data: Data, end: datetime, saved: int | None = None) -> Record:
        """Return a record of ``data`` that ends at ``end``, and tells that it was ``saved`` then.

        Raises SessionEncodeError for data that the engine cannot hold.
        """
        here = self._under(name)
        if MARK in data:  # of which some stores know the end by the data alone
            data = {**data, KEY: end.isoformat()}
        elif saved is not None and not self.tells_when_saved:
            data = _with_use(data, saved)
        here._session_cache = data
        record: Any = finish(here._make_record(in_sync, data))
        payload = self._payload_saved(here, record, data, saved)
        if record.expiry is None:  # it lives from when its file was modified
            age = self.end_of(name, replace(record, modified=timezone.now()), data) - timezone.now()
            return replace(record, payload=payload, modified=end - age)  # type: ignore[no-any-return]
        if getattr(record, "instance", None) is not None:
            record.instance.expire_date = end
        return replace(record, payload=payload, expiry=end, modified=timezone.now())  # type: ignore[no-any-return]

    def _payload_saved(self, here: Any, record: Record, data: Data, saved: int | None) -> Any:
        if saved is None or not self.tells_when_saved:
            return record.payload
        serializer, salt, engine = here.serializer, here.key_salt, here.engine_name
        return payloads.encode(data, serializer, salt, saved, engine)

    def _under(self, name: str) -> Any:
        """Return a session of the engine as its storage names it."""
        return self._session._under(name)


def _with_use(data: Data, saved: int) -> Data:
    """Return ``data`` with the mark of its last use, where the limits need one."""
    marks = marks_in(data)
    if marks.start is None or marks.used is not None:
        return data
    return marks._replace(used=saved).beside(data)
