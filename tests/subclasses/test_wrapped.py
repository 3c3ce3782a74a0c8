"""A session outside of any middleware, behind a LazyObject, as channels keeps it in its scope."""

from __future__ import annotations

from http.cookies import SimpleCookie

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.contrib.auth import SESSION_KEY, get_user
from django.contrib.auth.models import AnonymousUser
from django.core.cache import close_caches
from django.http import HttpRequest
from django.utils.functional import LazyObject

from tests.patience import PATIENCE
from tests.stores import in_thread

pytestmark = pytest.mark.stores("db", "cached_db")


class SessionInScope:
    """ASGI middleware: attach the session of the cookie, save it when the response starts."""

    def __init__(self, application, SessionStore):
        self.application = application
        self.SessionStore = SessionStore

    async def __call__(self, scope, receive, send):
        cookies = SimpleCookie(dict(scope["headers"]).get(b"cookie", b"").decode())
        key = cookies[settings.SESSION_COOKIE_NAME].value if cookies else None
        session = LazyObject()
        session._wrapped = self.SessionStore(key)

        async def save_and_send(message):
            if message["type"] == "http.response.start" and session.modified:
                await session.asave()
                cookie = f"{settings.SESSION_COOKIE_NAME}={session.session_key}"
                message["headers"] = [(b"set-cookie", cookie.encode())]
            await send(message)

        await self.application({**scope, "session": session}, receive, save_and_send)
        close_caches()  # each task has clients of its own


@pytest.fixture
def ask(store):
    """Send a request, with a cookie or without; the body and the cookie that come back."""

    def ask(application, cookie=None):
        headers = [(b"cookie", cookie)] if cookie else []
        scope = {"type": "http", "headers": headers}

        async def converse():
            wrapped = SessionInScope(application, store.SessionStore)
            communicator = ApplicationCommunicator(wrapped, scope)
            await communicator.send_input({"type": "http.request"})
            start = await communicator.receive_output(timeout=PATIENCE)
            body = await communicator.receive_output(timeout=PATIENCE)
            await communicator.wait(timeout=PATIENCE)
            return body["body"].decode(), dict(start.get("headers", [])).get(b"set-cookie")

        return async_to_sync(converse)()

    return ask


def answering(body_of):
    async def application(scope, receive, send):
        body = await body_of(scope["session"])
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": str(body).encode()})

    return application


async def count(session):
    await session.aset("visits", await session.aget("visits", 0) + 1)
    return await session.aget("visits")


async def look(session):
    return await session.aget("visits")


async def leave_alone(session):
    return session.accessed, session.modified, session.is_empty()


def test_values_are_counted_over_connections(ask):
    body, cookie = ask(answering(count))
    assert body == "1"
    assert ask(answering(count), cookie)[0] == "2"
    assert ask(answering(look), cookie) == ("2", None)


def test_an_untouched_session_behind_the_wrapper_is_neither_loaded_nor_saved(ask):
    _, cookie = ask(answering(count))
    assert ask(answering(leave_alone), cookie) == ("(False, False, False)", None)


def test_once_loaded_the_wrapper_is_a_dictionary(ask):
    async def use(session):
        await session.aget("visits")
        session["colour"] = "green"
        seen = "colour" in session, len(session), sorted(session), session["colour"]
        del session["colour"]
        return seen

    _, cookie = ask(answering(count))
    body, _ = ask(answering(use), cookie)
    assert body == "(True, 2, ['colour', 'visits'], 'green')"


def test_a_user_logged_in_on_a_long_connection_is_one_for_the_site(ask, store, user):
    async def log_in(session):
        await session.acycle_key()
        await session.aset(SESSION_KEY, str(user.pk))
        await session.aset("_auth_user_backend", settings.AUTHENTICATION_BACKENDS[0])
        await session.aset("_auth_user_hash", user.get_session_auth_hash())
        await session.asave()
        return session.session_key

    before = ask(answering(count))[1]
    key, _ = ask(answering(log_in), before)
    request = HttpRequest()
    request.session = store.SessionStore(key)
    assert in_thread(get_user, request) == user
    assert request.session["visits"] == 1
    assert store.SessionStore(before.partition(b"=")[2].decode()).get("visits") is None


def test_a_flush_on_a_long_connection_ends_the_session_everywhere(ask, store, user):
    async def flush(session):
        await session.aflush()
        return session.session_key

    _, cookie = ask(answering(count))
    assert ask(answering(flush), cookie)[0] == "None"
    request = HttpRequest()
    request.session = store.SessionStore(cookie.partition(b"=")[2].decode())
    assert get_user(request) == AnonymousUser()
    assert ask(answering(look), cookie)[0] == "None"
