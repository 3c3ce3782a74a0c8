"""Sessions that move from one engine to another, while their visitors stay logged in."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple

from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import cached_property

from dj_sessions._session.modes import Mode
from dj_sessions._session.twins import in_thread
from dj_sessions.backends._places import EnginePlace
from dj_sessions.backends.base import CreateError, SessionBase, UpdateError
from dj_sessions.backends.stored import StoredSession
from dj_sessions.conf import conf
from dj_sessions.storage import Record
from dj_sessions.storage.moving import MovingStorage
from dj_sessions.storage.moving.carriage import Carriage
from dj_sessions.storage.moving.places import TARGET, Found, Movable, Placed

__all__ = ["CreateError", "SessionBase", "SessionStore", "UpdateError"]

NAMES: Final = ("FROM", "TO", "PHASE")
PHASES: Final = ("prepare", "move")

EXAMPLE: Final = (
    "Write SESSION_MOVE = {'FROM': 'dj_sessions.backends.db', 'TO': 'dj_sessions.backends.redis'}."
)
ENGINE: Final = (
    "Name a module with a SessionStore, such as 'dj_sessions.backends.db' or one of your own."
)
IMPORTABLE: Final = (
    "Correct the name, install what it needs, or name another module with a SessionStore, such as "
    "'dj_sessions.backends.db'."
)


class MoveProblem(ImproperlyConfigured):
    """What is wrong with SESSION_MOVE, what to do about it, and the number of the check."""

    def __init__(self, what: str, hint: str, id: str) -> None:  # noqa: A002 # as of a CheckMessage
        super().__init__(f"{what}. {hint}")
        self.what, self.hint, self.id = what, hint, id


class Move(NamedTuple):
    """What SESSION_MOVE says: the classes of two engines, and whether sessions move yet."""

    source: type[StoredSession]
    target: type[StoredSession]
    moves: bool


def find_move() -> Move:
    """Return what SESSION_MOVE says; raises MoveProblem if it says no such thing."""
    config: Any = conf.SESSION_MOVE
    if not isinstance(config, Mapping) or not {"FROM", "TO"} <= config.keys():
        what = f"SESSION_MOVE = {config!r} does not say from which engine to which one"
        raise MoveProblem(what, EXAMPLE, "dj_sessions.E080")
    for name in config:
        if name not in NAMES:
            what = f"SESSION_MOVE has {name!r}, which is none of {', '.join(NAMES)}"
            raise MoveProblem(what, EXAMPLE, "dj_sessions.E080")
    phase = config.get("PHASE", "move")
    if phase not in PHASES:
        what = f"SESSION_MOVE['PHASE'] = {phase!r} is neither 'prepare' nor 'move'"
        hint = "Write 'prepare' until each server has this SESSION_MOVE, and then 'move'."
        raise MoveProblem(what, hint, "dj_sessions.E080")
    source, target = (_engine(name, config[name]) for name in ("FROM", "TO"))
    return Move(source, target, moves=phase == "move")


def _engine(name: str, path: Any) -> type[StoredSession]:
    try:
        store = import_module(path).SessionStore
    except (ImportError, AttributeError, TypeError, ValueError, ImproperlyConfigured) as error:
        what = f"SESSION_MOVE[{name!r}] = {path!r} is not a module with a SessionStore: {error}"
        raise MoveProblem(what.rstrip("."), IMPORTABLE, "dj_sessions.E081") from error
    if not issubclass(store, StoredSession):
        what = f"SESSION_MOVE[{name!r}] = {path!r} keeps no sessions in a storage of this package"
        raise MoveProblem(what, ENGINE, "dj_sessions.E081")
    if issubclass(store, SessionStore):
        what = f"SESSION_MOVE[{name!r}] = {path!r} is an engine that moves sessions itself"
        raise MoveProblem(what, ENGINE, "dj_sessions.E081")
    return store  # type: ignore[no-any-return]


class SessionStore(StoredSession):
    """Sessions of the engine FROM, and of the engine TO, to which they move: see ``SESSION_MOVE``.

    What those engines override of making and reading records counts; what a session does in its
    life, such as ``resolve_conflict()``, is this class's.
    """

    engine_name = "moving"

    @cached_property
    def _move(self) -> Move:
        return find_move()

    @cached_property
    def _places(self) -> tuple[EnginePlace, EnginePlace]:
        return EnginePlace(self._move.source), EnginePlace(self._move.target)

    def get_storage(self) -> MovingStorage:
        """Return the storages of both engines, made one."""
        return MovingStorage(*self._places, moves=self._move.moves)

    async def _make_record(self, mode: Mode, data: dict[str, Any]) -> Record:
        return Movable(data, lambda place, name: self._places[place].saved_by(self, name, data))

    def _decoded(self, record: Record) -> dict[str, Any] | None:
        if isinstance(record, Movable):  # it is asked what will be read of it
            made = record.made_for(TARGET, self._name)
            return self._places[TARGET].data_of(self._name, made)
        if isinstance(record, Found):
            return record.data
        place, payload, _ = record.payload
        return self._places[place].data_of(self._name, Record(payload))

    @property
    def _name(self) -> str:
        """The stored form of the key, for whoever has to look at a session there."""
        return self._name_of(self._session_key or "")

    def _saved_in(self, record: Record) -> int | None:
        if isinstance(record, Found):
            return record.saved
        if not isinstance(record.payload, Placed):
            return None
        return self._places[record.payload.place].saved_in(Record(record.payload.payload))

    def _tells_when_saved(self) -> bool:
        return all(place.tells_when_saved for place in self._places)

    def _keep_free(self, name: str, record: Any) -> bool:
        return self.get_storage().keep_free(name, record)

    @property
    def _is_unsettled(self) -> bool:
        """Whether a copy waits for the end of a transaction in which this session was saved."""
        if "_storage" not in vars(self):
            return False
        return any(getattr(place.storage, "is_unsettled", False) for place in self._places)

    @in_thread
    def _settle(self) -> None:
        """Have readers ask for the row once, as in ``cached_db``."""
        for place in self._places:
            if getattr(place.storage, "is_unsettled", False):
                place.storage.settle()  # type: ignore[attr-defined] # it has copies

    @classmethod
    def _start_move(cls, *, is_dry: bool) -> Carriage:
        """Return a run that moves the sessions that nobody visits."""
        return Carriage(cls().get_storage(), is_dry=is_dry)
