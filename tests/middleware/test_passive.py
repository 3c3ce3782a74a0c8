"""Requests that are no use of their session."""

import pytest
from asgiref.sync import iscoroutinefunction
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View

from dj_sessions.decorators import passive
from dj_sessions.middleware import SessionMiddleware
from tests.middleware.serving import change, data_of, look, serve, stored

pytestmark = pytest.mark.usefixtures("due")


@pytest.fixture
def due(settings):
    """Have each use of a session renew it."""
    settings.SESSION_IDLE_AGE = 900
    settings.SESSION_RENEW_AFTER = 0


def answer(request):
    """Answer with the colour."""
    return HttpResponse(request.session.get("colour"))


async def aanswer(request):
    return HttpResponse(await request.session.aget("colour"))


class Answer(View):
    def get(self, request):
        return answer(request)


class AsyncAnswer(View):
    async def get(self, request):
        return await aanswer(request)


def kinds(mode):
    view, cls = (aanswer, AsyncAnswer) if mode.is_async else (answer, Answer)
    return {
        "function": (view, passive(view)),
        "class": (cls.as_view(), passive(type("Poll", (cls,), {})).as_view()),
        "dispatch of a class": (
            cls.as_view(),
            method_decorator(passive, name="dispatch")(type("Poll", (cls,), {})).as_view(),
        ),
        "result of as_view": (cls.as_view(), passive(cls.as_view())),
    }


def renewed(mode, view, key):
    client = mode.client()
    client.raw.cookies["sessionid"] = key
    with override_settings(ROOT_URLCONF=(path("", view),)):
        response = client.get("/")
    assert response.content == b"green"
    return "sessionid" in response.cookies


@pytest.mark.parametrize("kind", ["function", "class", "dispatch of a class", "result of as_view"])
def test_a_view_can_be_marked(mode, kind, settings):
    settings.SESSION_ENGINE = "dj_sessions.backends.cache"
    plain, marked = kinds(mode)[kind]
    key = stored()
    assert renewed(mode, plain, key)
    assert not renewed(mode, marked, key)


def test_what_is_marked_is_of_the_same_mode_and_name():
    assert passive(answer).__name__ == "answer"
    assert passive(answer).__doc__ == answer.__doc__
    assert not iscoroutinefunction(passive(answer))
    assert iscoroutinefunction(passive(aanswer))
    assert iscoroutinefunction(passive(AsyncAnswer.as_view()))
    assert not hasattr(answer, "session_passive")
    marked = passive(type("Poll", (Answer,), {}))
    assert issubclass(marked, Answer)
    assert not iscoroutinefunction(marked.as_view())
    assert iscoroutinefunction(passive(type("Poll", (AsyncAnswer,), {})).as_view())
    assert not hasattr(Answer.as_view(), "session_passive")


@pytest.mark.parametrize(
    ("paths", "is_passive"),
    [((), False), (["/"], True), (("/poll/", "/x"), False), (("/poll/", "/"), True)],
)
def test_the_beginnings_of_paths_can_be_named(mode, paths, is_passive, settings):
    settings.SESSION_PASSIVE_PATHS = paths
    response = serve(mode, look, cookie=stored())
    assert ("sessionid" not in response.cookies) == is_passive


def test_a_site_may_decide_in_its_own_way(mode):
    class Middleware(SessionMiddleware):
        def is_passive(self, request):
            asked.append(request.path)
            return True

    asked = []
    assert "sessionid" not in serve(mode, look, cookie=stored(), middleware=Middleware).cookies
    assert asked == ["/"]


def test_nobody_is_asked_where_no_session_is_used(mode, no_limits):
    class Middleware(SessionMiddleware):
        def is_passive(self, request):
            raise AssertionError

    with override_settings(SESSION_IDLE_AGE=900):
        serve(mode, lambda request: None, cookie=stored(), middleware=Middleware)
    with override_settings(**no_limits):
        serve(mode, look, cookie=stored(), middleware=Middleware)
        serve(mode, change, cookie=stored(), middleware=Middleware)


def test_a_passive_request_saves_what_it_changes(mode, settings, clock):
    settings.SESSION_PASSIVE_PATHS = ["/"]
    key = stored()
    assert serve(mode, change, cookie=key).cookies["sessionid"]["max-age"] in (899, 900)
    assert data_of(key)["colour"] == "blue"
