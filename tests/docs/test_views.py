"""The views of the pages `start-here` and `async` do what the text around them says."""

from functools import partial

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import SynchronousOnlyOperation
from django.http import JsonResponse, StreamingHttpResponse
from django.test import override_settings

from dj_sessions.backends.db import SessionStore
from tests.counters import statements
from tests.docs.urls import urls


def test_the_first_view_counts_visits(example, mode, databases):
    views = example("start-here", "shop.views")
    client = mode.client()
    view = views.avisits if mode.is_async else views.visits
    with override_settings(ROOT_URLCONF=urls(view)):
        assert client.get("/").content == b"Visit number 1"
        assert client.get("/").content == b"Visit number 2"


@pytest.fixture
def visitor(mode, databases):
    """A client, and a session with two values that the client is in."""
    client = mode.client()
    session = SessionStore()
    session.update({"name": "Ada", "colour": "green"})
    session.save()
    client.raw.cookies["sessionid"] = session.session_key
    return client


@pytest.mark.modes("async")
def test_the_cart_is_filled_and_emptied_in_async_views(example, visitor):
    views = example("async", "shop.views")
    with override_settings(ROOT_URLCONF=urls(views.add, views.empty, views.leave)):
        assert visitor.get("/add/", {"item": "tea"}).json() == {"items": 1}
        assert visitor.get("/add/", {"item": "cups"}).json() == {"items": 2}
        assert visitor.get("/empty/").json() == {"items": 0}
        assert visitor.get("/add/", {"item": "tea"}).json() == {"items": 1}
        assert visitor.get("/leave/").cookies["sessionid"].value == ""
        assert visitor.get("/add/", {"item": "tea"}).json() == {"items": 1}


@pytest.mark.modes("async")
@pytest.mark.parametrize("name", ["greeting", "dashboard"])
def test_a_loaded_session_is_read_without_await_and_two_tasks_share_a_load(example, visitor, name):
    view = getattr(example("async", f"shop.{name}"), name)
    with override_settings(ROOT_URLCONF=urls(view)), statements() as seen:
        assert visitor.get("/").json() == {"name": "Ada", "colour": "green"}
    assert len(seen) == 1, seen


@pytest.mark.modes("async")
def test_a_session_in_the_database_that_is_not_loaded_must_be_awaited(visitor):
    async def view(request):
        return JsonResponse({"name": request.session["name"]})

    with override_settings(ROOT_URLCONF=urls(view)), pytest.raises(SynchronousOnlyOperation):
        visitor.get("/")


@pytest.mark.modes("async")
def test_what_a_stream_changes_is_not_saved_unless_it_saves(visitor):
    async def view(request):
        await request.session.aset("colour", "before the first byte")

        async def stream():
            await request.session.aset("name", "while streaming")
            if "save" in request.GET:
                await request.session.asave()
            yield b""

        return StreamingHttpResponse(stream())

    with override_settings(ROOT_URLCONF=urls(view)):
        read = partial(visitor.get, "/async/read/")
        for query, name in ({}, "Ada"), ({"save": "1"}, "while streaming"):
            response = visitor.get("/", query)
            async_to_sync(consume)(response)
            with override_settings(ROOT_URLCONF="tests.urls"):
                assert read().json() == {"colour": "before the first byte", "name": name}


async def consume(response):
    async for _ in response.streaming_content:
        pass
