"""Deeds and requests whose costs are counted, and what they cost: our figure, and Django's.

    deed = prepare(mode, SessionStore, "save")
    with statements() as sent:
        deed()
    assert len(sent) == figure(STATEMENTS["save"], package)

They are done for a visitor who has been here before, by an engine that is in use already.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import alogin, alogout, login, logout
from django.db.models import signals
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

from tests.contract.visits import Step, make_view
from tests.counters import nobody_listening
from tests.modes import Mode

OURS, DJANGO = PACKAGES = ("dj_sessions", "django.contrib.sessions")

#: In autocommit, BEGIN and COMMIT among them.
STATEMENTS = {
    "create": (1, 4),
    "load": (1, 1),
    "save": (1, 3),
    "save after load": (2, 4),
    "cycle_key": (2, 6),
    "flush": (1, 2),
}
#: With a copy in the cache, which spares the load.
STATEMENTS_BESIDE_A_COPY = {
    deed: (ours - ("load" in deed), django - ("load" in deed))
    for deed, (ours, django) in STATEMENTS.items()
}
ROUND_TRIPS = {
    "create": (1, 2),
    "load": (1, 1),
    "save": (1, 2),
    "save after load": (2, 3),
    "cycle_key": (2, 3),
    "flush": (1, 1),
}
#: A login, over an anonymous session, also writes the user's last_login. Before a logout the
#: session and the user are read, whom logout() names to its receivers.
REQUEST_STATEMENTS = {
    "untouched": (0, 0),
    "read": (1, 1),
    "write": (2, 4),
    "log in": (4 + 1, 10 + 1),
    "log out": (2 + 1, 3 + 1),
}
REQUEST_ROUND_TRIPS = {
    "untouched": (0, 0),
    "read": (1, 1),
    "write": (2, 3),
    "log in": (4, 6),
    "log out": (2, 2),
}
#: Where receivers must see the row come, change and go.
HEARD_STATEMENTS = {"create": (3, 4), "save": (3, 3), "cycle_key": (7, 8), "flush": (4, 4)}
#: SQLite has no lock but that of a write, which a row that is compared and read takes first.
HEARD_BY_SQLITE = HEARD_STATEMENTS | {"cycle_key": (8, 8)}
STEPS: dict[str, list[Step]] = {
    "untouched": [],
    "read": [lambda session: session.get("colour")],
    "write": [lambda session: session.set("size", 3)],
}


def figure(figures: tuple[int, int], package: str) -> int:
    return figures[PACKAGES.index(package)]


def as_saved(name: str, save_every_request: bool) -> str:
    """Return the request that costs as much, as the session is saved whatever is done to it."""
    return "write" if save_every_request and name in STEPS else name


def unheard(package: str) -> AbstractContextManager[None]:
    """Without receivers for Django's engines, which pay for ours."""
    return nobody_listening(signals.post_delete) if package == DJANGO else nullcontext()


def middleware_of(package: str) -> list[str]:
    """Return the middleware of the settings, with the package's own for the sessions."""
    return [
        f"{package}.middleware.SessionMiddleware" if "sessions" in name else name
        for name in settings.MIDDLEWARE
    ]


def saved(mode: Mode, SessionStore: Any) -> str:
    """Return the key of a session that is stored."""
    session = mode.wrap(SessionStore())
    session.set("colour", "green")
    session.save()
    session.set("colour", "red")
    session.save()  # whatever is prepared at the first save over another is prepared now
    return str(session.session_key)


def prepare(mode: Mode, SessionStore: Any, deed: str) -> Callable[[], Any]:
    """Return a function that does the deed."""
    session = mode.wrap(SessionStore(saved(mode, SessionStore)))
    if deed == "create":
        session = mode.wrap(SessionStore())
    elif deed not in ("load", "save after load"):
        session.get("colour")

    def save() -> None:
        session.set("size", 3)
        session.save()

    return save if deed.startswith("save") else getattr(session, deed)


def prepare_request(mode: Mode, name: str, user: Any = None) -> Callable[[], Any]:
    """Return a function that has the request answered by the whole site."""
    client = mode.client()
    if name == "log out":
        client.force_login(user)
    else:
        SessionStore = import_module(settings.SESSION_ENGINE).SessionStore
        client.raw.cookies[settings.SESSION_COOKIE_NAME] = saved(mode, SessionStore)
    view = make_view(mode, STEPS[name]) if name in STEPS else _auth_view(mode, name, user)

    def get() -> None:
        with override_settings(ROOT_URLCONF=(path("", view),)):
            assert client.get("/").status_code == 200

    return get


def _auth_view(mode: Mode, name: str, user: Any) -> Callable[..., Any]:
    def view(request: HttpRequest) -> HttpResponse:
        login(request, user) if name == "log in" else logout(request)
        return HttpResponse()

    async def aview(request: HttpRequest) -> HttpResponse:
        await (alogin(request, user) if name == "log in" else alogout(request))
        return HttpResponse()

    return aview if mode.is_async else view
