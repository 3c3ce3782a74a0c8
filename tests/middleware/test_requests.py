"""Each request gets its session; what becomes of it when the response comes back."""

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.core.cache import caches
from django.http import HttpResponse, StreamingHttpResponse
from django.test import override_settings

from dj_sessions.backends import cache
from dj_sessions.exceptions import SessionInterrupted, UpdateError
from dj_sessions.middleware import SessionMiddleware
from tests.counters import round_trips
from tests.middleware.serving import (
    UNKNOWN_KEY,
    change,
    data_of,
    flush,
    look,
    records,
    serve,
    stored,
    untouched,
)

# Attaching


def test_the_session_of_the_cookie_is_attached_and_not_yet_read(mode):
    key = stored()
    seen = []
    with round_trips() as trips:
        serve(mode, lambda request: seen.append(request.session), key)
    assert type(seen[0]) is cache.SessionStore
    assert trips == []
    assert seen[0].session_key == key
    assert seen[0]["colour"] == "green"


def test_without_a_cookie_the_session_is_new_and_empty(mode):
    seen = []
    serve(mode, lambda request: seen.append(request.session))
    assert seen[0].is_empty()
    assert seen[0].session_key is None


def test_the_engine_is_the_one_of_the_settings(mode):
    seen = []
    with override_settings(SESSION_ENGINE="dj_sessions.backends.signed_cookies"):
        serve(mode, lambda request: seen.append(type(request.session)))
    assert [store.__module__ for store in seen] == ["dj_sessions.backends.signed_cookies"]


def test_the_store_class_is_an_attribute_that_others_may_replace(mode):
    class Store(cache.SessionStore):
        pass

    class Middleware(SessionMiddleware):
        def __init__(self, get_response):
            super().__init__(get_response)
            assert self.SessionStore is cache.SessionStore
            self.SessionStore = Store

    seen = []
    serve(mode, lambda request: seen.append(type(request.session)), middleware=Middleware)
    assert seen == [Store]


def test_the_middleware_is_awaitable_exactly_if_what_it_wraps_is(mode):
    async def aget_response(request):
        return HttpResponse()

    middleware = SessionMiddleware(aget_response if mode.is_async else untouched)
    assert iscoroutinefunction(middleware) is mode.is_async
    assert SessionMiddleware.sync_capable
    assert SessionMiddleware.async_capable


def test_the_middleware_needs_something_to_wrap():
    with pytest.raises(ValueError, match="get_response must be provided"):
        SessionMiddleware(None)


def test_an_error_of_the_view_is_raised_and_saves_nothing(mode):
    def view(request):
        change(request)
        raise ZeroDivisionError

    key = stored()
    with pytest.raises(ZeroDivisionError):
        serve(mode, view, key)
    assert data_of(key) == {"colour": "green"}


# Saving


def test_a_changed_session_is_saved_and_its_cookie_renewed(mode):
    key = stored()
    response = serve(mode, change, key)
    assert response.cookies["sessionid"].value == key
    assert data_of(key) == {"colour": "blue"}


def test_a_new_session_is_created_and_its_cookie_set(mode):
    response = serve(mode, change)
    assert data_of(response.cookies["sessionid"].value) == {"colour": "blue"}


def test_a_session_that_was_only_read_is_not_saved(mode):
    key = stored()
    with round_trips() as trips:
        response = serve(mode, look, key)
    assert len(trips) == 1
    assert not response.cookies


@pytest.mark.parametrize("status", [200, 204, 302, 400, 403, 404, 499])
def test_any_response_below_500_saves(mode, status):
    def view(request):
        change(request)
        return HttpResponse(status=status)

    key = stored()
    assert serve(mode, view, key).cookies["sessionid"].value == key
    assert data_of(key) == {"colour": "blue"}


@pytest.mark.parametrize("status", [500, 502, 503, 599])
def test_a_response_of_5xx_saves_nothing_and_sets_no_cookie(mode, status):
    def view(request):
        change(request)
        return HttpResponse(status=status)

    key = stored()
    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        response = serve(mode, view, key)
    assert not response.cookies
    assert response["Vary"] == "Cookie"
    assert data_of(key) == {"colour": "green"}


def test_a_response_of_5xx_creates_nothing(mode):
    def view(request):
        change(request)
        return HttpResponse(status=500)

    assert not serve(mode, view).cookies
    assert records() == 0


def test_a_session_that_was_flushed_takes_its_cookie_along_also_with_a_5xx(mode):
    def view(request):
        flush(request)
        return HttpResponse(status=500)

    response = serve(mode, view, stored())
    assert response.cookies["sessionid"].value == ""
    assert records() == 0


def test_a_streaming_response_is_decided_before_its_first_byte(mode):
    def view(request):
        def parts():
            request.session["while streaming"] = True
            yield b"part"

        async def async_parts():
            for part in parts():
                yield part

        request.session["before"] = True
        return StreamingHttpResponse(async_parts() if mode.is_async else parts())

    response = serve(mode, view)
    key = response.cookies["sessionid"].value
    assert data_of(key) == {"before": True}
    assert response["Vary"] == "Cookie"

    async def read():
        return [part async for part in response]

    assert (async_to_sync(read)() if mode.is_async else [*response]) == [b"part"]
    assert data_of(key) == {"before": True}


def test_a_session_that_ended_meanwhile_is_an_interruption_with_its_cause(mode):
    def view(request):
        change(request)
        cache.SessionStore().delete(request.session.session_key)

    with pytest.raises(SessionInterrupted, match="deleted before the request completed") as caught:
        serve(mode, view, stored())
    assert type(caught.value.__cause__) is UpdateError
    assert records() == 0


def test_other_errors_of_the_store_are_raised_as_they_are(mode):
    class Store(cache.SessionStore):
        def save(self, must_create=False):
            raise OSError("the disk is full")

    class Middleware(SessionMiddleware):
        def __init__(self, get_response):
            super().__init__(get_response)
            self.SessionStore = Store

    with pytest.raises(OSError, match="the disk is full"):
        serve(mode, change, middleware=Middleware)


# Saving on every request


@pytest.fixture
def save_every_request():
    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        yield


@pytest.mark.usefixtures("save_every_request")
def test_every_request_renews_the_cookie_and_the_record(mode):
    key = stored()
    caches["default"].touch(cache.KEY_PREFIX + key, 10)
    before = dict(caches["default"]._expire_info)
    response = serve(mode, untouched, key)
    assert response.cookies["sessionid"].value == key
    assert response["Vary"] == "Cookie"
    assert data_of(key) == {"colour": "green"}
    (expiry,) = caches["default"]._expire_info.values()
    assert expiry > max(before.values()) + 1000


@pytest.mark.usefixtures("save_every_request")
def test_a_visitor_without_a_session_gets_none(mode):
    response = serve(mode, untouched)
    assert not response.cookies
    assert not response.has_header("Vary")
    assert records() == 0


@pytest.mark.usefixtures("save_every_request")
@pytest.mark.parametrize("view", [untouched, look])
def test_an_unknown_key_creates_nothing_and_its_cookie_is_deleted(mode, view):
    response = serve(mode, view, UNKNOWN_KEY)
    assert response.cookies["sessionid"].value == ""
    assert response["Vary"] == "Cookie"
    assert records() == 0


@pytest.mark.usefixtures("save_every_request")
@pytest.mark.parametrize("key", ["", "short", "UPPER CASE KEY", "nul\x00nul\x00", "../../../etc"])
def test_an_impossible_key_costs_nothing_creates_nothing_and_its_cookie_is_deleted(mode, key):
    with round_trips() as trips:
        response = serve(mode, untouched, key)
    assert trips == []
    assert response.cookies["sessionid"].value == ""


@pytest.mark.usefixtures("save_every_request")
def test_a_request_that_changed_nothing_is_served_though_the_session_ended_meanwhile(mode):
    def view(request):
        look(request)
        cache.SessionStore().delete(request.session.session_key)

    response = serve(mode, view, stored())
    assert response.status_code == 200
    assert "sessionid" not in response.cookies or response.cookies["sessionid"].value == ""
    assert records() == 0


@pytest.mark.parametrize("view", [untouched, look, flush])
def test_an_unknown_key_creates_nothing(mode, view):
    serve(mode, view, UNKNOWN_KEY)
    assert records() == 0
