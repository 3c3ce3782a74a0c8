"""Whoever has to know of a session before it is stored, as the list of a user's sessions has.

Signals tell of what has happened, and nobody waits for their receivers. A registry is asked first:
what it raises before a save ends that save, and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, Final, TypeAlias

from django.http import HttpRequest

from dj_sessions import _keys
from dj_sessions._session.limits import USER_ID
from dj_sessions._session.modes import Mode
from dj_sessions.signals import EndReason
from dj_sessions.storage import Record

#: What the middleware is asked.
IsPassive: TypeAlias = Callable[[HttpRequest], bool]


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


#: In place of a user's id: nobody has looked at the data that is stored.
UNKNOWN: Final = _Unknown()


@dataclass(frozen=True, slots=True)
class Save:
    """A save that is about to be made, or was made.

    ``public_id`` is that of the session. ``name`` is the form of its key under which the store has
    it then, and ``old_name`` that under which it has it until then. ``owner`` is the user's id
    (str) in the data, None for nobody; ``stored_owner`` that of what is stored until then, or
    UNKNOWN; ``previous`` the same, or what ``note_owner()`` was told since. ``expiry`` (datetime)
    is when the session ends. ``is_new`` tells that the key is new, and ``old_public_id`` what it is
    new for. ``database`` is the alias of the database whose transaction takes the save back, or
    None, and ``begun`` the ``time.monotonic()`` of the call.
    """

    session: Any
    public_id: str
    name: str
    owner: str | None
    previous: str | _Unknown | None
    stored_owner: str | _Unknown | None
    expiry: Any
    is_new: bool
    old_public_id: str | None
    old_name: str
    database: str | None
    begun: float = field(default_factory=monotonic)

    @property
    def is_renamed(self) -> bool:
        """Whether the store has the session under another form of its key afterwards."""
        return self.old_name != self.name

    @property
    def safe_name(self) -> str:
        """The form that leads to the session before, during and after the save.

        The key leads to its hash, and no hash to its key.
        """
        return self.name if _keys.is_hashed(self.old_name) else self.old_name


class Registry:
    """Is told of sessions in the course of their changes. Each method is a coroutine of a *mode*.

    ``await mode(ask, aask, …)`` calls the first in sync code, and awaits the second in async code.
    """

    async def before_save(self, mode: Mode, save: Save) -> None:
        """Take note of a session that is about to be stored; what this raises ends the save."""

    async def saved(self, mode: Mode, save: Save) -> None:
        """Take note of a session that is stored."""

    async def ended(
        self, mode: Mode, session: Any, public_id: str, reason: EndReason | None
    ) -> None:
        """Take note of a session that is stored no more; None: it was never anybody's."""

    async def key_changed(self, mode: Mode, session: Any, old_id: str, public_id: str) -> None:
        """Take note of a session that goes on under another key, which was saved before."""

    async def used(self, mode: Mode, request: HttpRequest, is_passive: IsPassive) -> None:
        """Take note of a request that has read its session, when the response is there.

        ``is_passive(request)`` tells whether that does not count as use.
        """

    def purge(self) -> str:
        """Remove what is kept of sessions that are gone; return what was done, in words."""
        return ""


#: Those that are told, in this order.
registries: Final[list[Registry]] = []

#: The request that is being served in this context, while there are registries.
current_request: Final[ContextVar[HttpRequest | None]] = ContextVar("current_request", default=None)


def register(registry: Registry) -> None:
    """Have ``registry`` told of all sessions from now on; once, however often it is called."""
    if registry not in registries:
        registries.append(registry)


async def before_save(
    mode: Mode, session: Any, key: str, data: dict[str, Any], record: Record, is_new: bool = False
) -> Save:
    """Tell of a save that is about to be made; return it for ``saved()``."""
    old_key = session._old_key if is_new else None
    before, name = session._storage.names_around_save(key)
    save = Save(
        session=session,
        public_id=_keys.public_id(key),
        name=name,
        owner=data.get(USER_ID),
        previous=session._owner if old_key or not is_new else None,
        stored_owner=_stored_owner(session) if old_key or not is_new else None,
        expiry=record.expiry,
        is_new=is_new,
        old_public_id=None if old_key is None else _keys.public_id(old_key),
        old_name=before,
        database=session._storage.database,
    )
    for registry in registries:
        await registry.before_save(mode, save)
    return save


async def saved(mode: Mode, save: Save, key: str) -> None:
    """Tell of a save that was made."""
    if save.is_renamed:  # unless the store has found that it cannot
        save = replace(save, name=save.session._storage.names_around_save(key)[0])
    save.session._owner = save.owner
    vars(save.session).pop("_stored_owner", None)
    for registry in registries:
        await registry.saved(mode, save)


def note_owner(session: Any, owner: str) -> None:
    """Take ``owner`` as the user whom registries have noted, before the session is saved.

    The save has ``owner`` as ``previous`` then, so that no registry notes it twice.
    """
    vars(session).setdefault("_stored_owner", session._owner)
    session._owner = owner


def _stored_owner(session: Any) -> Any:
    return vars(session).get("_stored_owner", session._owner)


async def dropped(mode: Mode, session: Any, key: str) -> None:
    """Tell that a new key is not the session's after all, and nothing is stored under it."""
    for registry in registries:
        await registry.ended(mode, session, _keys.public_id(key), None)


async def used(mode: Mode, request: HttpRequest, is_passive: IsPassive) -> None:
    """Tell of a request that has read its session, if it has."""
    session: Any = request.session
    if session.accessed and hasattr(session, "_session_cache"):
        for registry in registries:
            await registry.used(mode, request, is_passive)
