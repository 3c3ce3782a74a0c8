"""The registry that keeps the list: each session is in it before it is stored."""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.http import HttpRequest

from dj_sessions import _keys
from dj_sessions.registry import UNKNOWN, IsPassive, Mode, Registry, Save
from dj_sessions.signals import EndReason, new_device
from dj_sessions.user_sessions import clearing, limit, listing, new_devices, seen, table, writing
from dj_sessions.user_sessions.entries import Entry
from dj_sessions.user_sessions.table import as_user_id

#: Of whom no row is left behind.
NOBODY: Final = (None, UNKNOWN)


class UserSessions(Registry):
    """Tells the list whose session is stored, in use, under another key, and ended."""

    async def before_save(self, mode: Mode, save: Save) -> None:
        if save.owner is None:
            return
        if save.is_new or save.previous != save.owner:
            await _call(mode, _enter, save)
        elif save.safe_name != save.old_name:  # to which the old one does not lead
            await _call(mode, _rename, save)
        elif seen.is_due(save.public_id, save.owner):
            await _call(mode, _touch, save, save.safe_name)

    async def saved(self, mode: Mode, save: Save) -> None:
        if not save.is_new and save.previous not in NOBODY and save.previous != save.owner:
            await _call(mode, _leave, save)
        if save.owner is None:
            return
        took = monotonic() - save.begun  # its row may have been taken for one that is gone
        if save.safe_name != save.name or took > listing.GRACE.total_seconds() / 2:
            await _call(mode, _touch, save, save.name)
        if new_device.receivers and save.stored_owner != save.owner:
            await _call(mode, new_devices.tell_if_new, save)

    async def ended(
        self, mode: Mode, session: Any, public_id: str, reason: EndReason | None
    ) -> None:
        if session._owner is not None:
            await _call(mode, writing.end, public_id, reason)

    async def key_changed(self, mode: Mode, session: Any, old_id: str, public_id: str) -> None:
        await self.ended(mode, session, old_id, None)

    async def used(self, mode: Mode, request: HttpRequest, is_passive: IsPassive) -> None:
        session: Any = request.session
        owner, key = getattr(session, "_owner", None), getattr(session, "_session_key", None)
        if owner is None or owner is UNKNOWN or not key:
            return
        if seen.is_due(_keys.public_id(key), owner) and not is_passive(request):
            await _call(mode, _use, session, key, owner)

    def purge(self) -> str:
        return clearing.purge()


async def _call(mode: Mode, function: Any, *arguments: Any) -> None:
    await mode(function, partial(_in_thread, function), *arguments)


async def _in_thread(function: Any, *arguments: Any) -> None:
    await sync_to_async(function)(*arguments)


def _enter(save: Save) -> None:
    entry = Entry.of(save, save.safe_name)
    if entry is None:
        return
    old_id = save.old_public_id if save.previous == save.owner else None
    is_apart = writing.is_apart(save.database)
    if old_id is None and limit.is_set():
        limit.enter(entry, type(save.session), is_apart=is_apart)
    elif is_apart:
        writing.enter_for_good(entry, old_id)
    else:
        writing.enter(entry, old_id)
    _remember(entry, save.owner)


def _rename(save: Save) -> None:
    entry = Entry.of(save, save.safe_name)
    if entry is not None:
        writing.rename(entry, is_apart=writing.is_apart(save.database))
        _remember(entry, save.owner)


def _touch(save: Save, name: str) -> None:
    entry = Entry.of(save, name)
    if entry is not None:
        writing.touch(entry, listing.lives, is_renamed=save.is_renamed)
        _remember(entry, save.owner)


def _use(session: Any, key: str, owner: str) -> None:
    user_id = as_user_id(owner)
    if user_id is not None:
        entry = Entry.in_use(session, key, user_id)
        writing.touch(entry, listing.lives)
        _remember(entry, owner)


def _remember(entry: Entry, owner: str | None) -> None:
    if entry.client and owner is not None:  # else the next request says from where it comes
        writing.when_committed(seen.remember, entry.public_id, owner)


def _leave(save: Save) -> None:
    """End the row of whoever is not logged in any more in a session that lives on."""
    user_id = as_user_id(str(save.previous))
    if writing.is_inside():  # the transaction may give the session back
        writing.when_committed(_leave_unless_back, save.public_id, user_id)
    else:
        writing.end(save.public_id, EndReason.FLUSHED, user_id=user_id)


def _leave_unless_back(public_id: str, user_id: Any) -> None:
    rows = table.rows().live().filter(public_id=public_id, user_id=user_id)
    if not listing.alive_among(rows):
        writing.end(public_id, EndReason.FLUSHED, user_id=user_id)


#: The one of this process.
registry: Final = UserSessions()
