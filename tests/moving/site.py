"""The servers of a site whose sessions move, and what happens between their storage calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from unittest import mock

from dj_sessions.backends import moving
from dj_sessions.exceptions import UpdateError
from dj_sessions.storage.moving import Carried
from dj_sessions.storage.moving.storage import _Both

ENGINES = {"other_redis": "tests.moving.other_redis"}


def engine(name: str) -> Any:
    """Return the `SessionStore` of an engine."""
    return import_module(ENGINES.get(name, f"dj_sessions.backends.{name}")).SessionStore


class Crash(BaseException):
    """The process dies."""


def die() -> None:
    raise Crash


class Site:
    """`old` and `new` are servers on one engine alone, `prepare` and `move` those in between."""

    def __init__(self, source: Any, target: Any) -> None:
        self.old, self.new = source, target
        self.prepare, self.move = (self._server(moves=moves) for moves in (False, True))

    def _server(self, *, moves: bool) -> Any:
        class SessionStore(moving.SessionStore):
            _move = moving.Move(self.old, self.new, moves)

        return SessionStore

    @property
    def servers(self) -> tuple[Any, Any]:
        """Those that know both engines."""
        return self.prepare, self.move

    def carry(self, key: str) -> Carried:
        return self.move().get_storage().carry(key)

    def cells(self, key: str) -> list[Any]:
        """What stands in both places."""
        storage = self.move().get_storage()
        return [storage._run(storage._search.cell(place, key)) for place in (0, 1)]

    def data(self, key: str) -> dict[str, Any]:
        """The data of a session, of which both servers have to say the same."""
        found = [dict(server(key).items()) for server in self.servers]
        assert found[0] == found[1], (found, self.cells(key))
        return found[0]


def new(server: Any, **data: Any) -> str:
    """The key of a new session."""
    session = server()
    session.update({"born": 1, **data})
    session.save()
    return str(session.session_key)


def save(server: Any, key: str, name: str) -> bool:
    """Store something, as a request does; return whether that was acknowledged."""
    session = server(key)
    session[name] = 1
    if session.session_key is None:
        return False
    try:
        session.save()
    except UpdateError:
        return False
    return True


def flush(server: Any, key: str) -> None:
    """Log out, as a request does."""
    session = server(key)
    session.get("born")
    session.flush()


@dataclass
class Deed:
    """What a request does: `saves` something under a name, `ends` the session, or neither."""

    name: str
    act: Callable[[], Any]
    saves: str = ""
    ends: bool = False
    #: What it returned; None before, and if it died.
    answer: Any = None
    is_done: bool = False

    def __call__(self) -> None:
        self.answer = self.act()
        self.is_done = True

    @property
    def is_acknowledged(self) -> bool:
        return self.is_done and (self.ends or self.answer is True)


DEEDS = ("save by move", "save by prepare", "carry", "flush by move", "flush by prepare", "delete")


def deed(site: Site, name: str, key: str, who: str) -> Deed:
    """Return the deed `name`, which writes under the name of whoever does it."""
    what, _, phase = name.partition(" by ")
    server = getattr(site, phase or "move")
    if what == "save":
        return Deed(name, lambda: save(server, key, who), saves=who)
    if what == "look":
        return Deed(name, lambda: site.data(key))
    if what == "carry":
        return Deed(name, lambda: site.carry(key))
    if what == "flush":
        return Deed(name, lambda: flush(server, key), ends=True)
    return Deed(name, lambda: server().delete(key), ends=True)


@dataclass
class Steps:
    """The calls of the two storages, before one of which somebody acts."""

    act: Callable[[], Any] | None = None
    before: int = 0
    made: list[str] = field(default_factory=list)
    has_acted: bool = False


_running: list[Steps] = []
_call = _Both.call


def _counted(self: Any, storage: Any, method: str, *arguments: Any) -> Any:
    now = _running[-1]
    now.made.append(method)
    if now.act is not None and len(now.made) == now.before:
        now.has_acted = True
        now.act()
    return _call(self, storage, method, *arguments)


def stepping(
    body: Callable[[], Any], act: Callable[[], Any] | None = None, before: int = 0
) -> Steps:
    """Do `body`, and `act` before its storage call number `before`, from 1, if it makes so many.

    A body that dies has died; what acts may do so in steps of its own.
    """
    steps = Steps(act, before)
    _running.append(steps)
    try:
        with mock.patch.object(_Both, "call", _counted):
            body()
    except Crash:
        pass
    finally:
        _running.pop()
    return steps
